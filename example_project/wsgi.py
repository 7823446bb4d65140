"""What a WSGI server runs."""

import os

from django.core.wsgi import get_wsgi_application

from depict_reco.contrib.wsgi import in_one_piece, settle

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "example_project.settings")
application = in_one_piece(get_wsgi_application())
settle()
