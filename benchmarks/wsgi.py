"""Our project as a server starts it."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "benchmarks.project")

from django.core.wsgi import get_wsgi_application

from depict_reco.contrib.wsgi import in_one_piece, settle

application = in_one_piece(get_wsgi_application())
settle()
