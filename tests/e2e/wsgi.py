import os
from pathlib import Path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.e2e.project")

from django.core.wsgi import get_wsgi_application

from depict_reco.contrib.wsgi import settle
from tests.e2e import clocks

application = get_wsgi_application()
settle()
clocks.follow(Path(os.environ["VAR_DIR"]))
