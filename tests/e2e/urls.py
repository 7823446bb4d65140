from django.urls import include, path

urlpatterns = [
    path("", include("depict_reco.urls")),
    path("", include("depict_reco.contrib.prometheus.urls")),
]
