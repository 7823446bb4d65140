from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('depict_reco', '0002_refusal'),
    ]

    operations = [
        migrations.AddField(
            model_name='event',
            name='dsid',
            field=models.CharField(blank=True, help_text='Where it is a third id; else it is the session id.', max_length=255, null=True, verbose_name='Depict session id'),
        ),
        migrations.AddField(
            model_name='event',
            name='recommendation_type',
            field=models.CharField(blank=True, db_default='', default='', help_text='What the page calls it; the recommendation id knows better.', max_length=100, verbose_name='recommendation type'),
        ),
        migrations.AlterField(
            model_name='event',
            name='type',
            field=models.CharField(choices=[('page_view', 'page view'), ('click', 'click'), ('add_to_cart', 'add to cart'), ('purchase', 'purchase'), ('element_visible', 'element visible'), ('recommendations_inserted', 'recommendations inserted'), ('return', 'return'), ('transaction_mapping', 'transaction mapping'), ('product_unavailable', 'product unavailable'), ('native_shopify_collection_click', "click in a collection of the shop's own"), ('native_shopify_collection_view', "view of a collection of the shop's own"), ('native_shopify_grid_item_click', "click on a grid item of the shop's own")], max_length=40, verbose_name='type'),
        ),
    ]
