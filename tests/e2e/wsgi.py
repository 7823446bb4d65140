import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.e2e.project")

from django.core.wsgi import get_wsgi_application

application = get_wsgi_application()
