from django.db import migrations, models


class AddIndexWithoutLock(migrations.AddIndex):
    """Let events be written on PostgreSQL while the index is made."""

    def database_forwards(self, app_label, schema_editor, from_state, to_state):
        if schema_editor.connection.vendor != 'postgresql':
            return super().database_forwards(app_label, schema_editor, from_state, to_state)
        model = to_state.apps.get_model(app_label, self.model_name)
        if not self.allow_migrate_model(schema_editor.connection.alias, model):
            return
        # what an attempt that was cut short has left is of no use
        schema_editor.remove_index(model, self.index, concurrently=True)
        schema_editor.add_index(model, self.index, concurrently=True)


class Migration(migrations.Migration):

    atomic = False

    dependencies = [
        ('depict_reco', '0003_event_storefront'),
    ]

    operations = [
        AddIndexWithoutLock(
            model_name='event',
            index=models.Index(condition=models.Q(('transaction_id__gt', '')), fields=['market', 'transaction_id'], name='reco_event_transaction_idx'),
        ),
        AddIndexWithoutLock(
            model_name='event',
            index=models.Index(condition=models.Q(('dsid__isnull', False)), fields=['market', 'dsid'], name='reco_event_dsid_idx'),
        ),
    ]
