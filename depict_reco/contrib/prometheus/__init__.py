"""Metrics for Prometheus: counted while requests are answered, shown to operators at ``/metrics``.

Needs the extra ``metrics``, this app in INSTALLED_APPS and its addresses in the project's.
"""
