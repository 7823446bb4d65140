"""``manage.py reco_doctor``."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand

from depict_reco.management.doctor import Finding, Thresholds, examine


def days(text: str) -> timedelta:
    """Read a number of days above zero."""
    try:
        value = timedelta(days=float(text))
    except (ValueError, OverflowError):
        value = timedelta(0)
    if value <= timedelta(0):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of days above zero")
    return value


class Command(BaseCommand):
    help = (
        "Say what is missing or stale, and what to type about it. The exit code is 1 when "
        "something is wrong, so that a monitor can run this."
    )
    requires_system_checks = []  # their errors are among the findings

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "tenant", nargs="?", default="", help="Look at this tenant only; default: all active."
        )
        parser.add_argument(
            "--event-days",
            type=days,
            default=Thresholds().event_age,
            metavar="DAYS",
            help="Events older than this are stale; default: 7.",
        )
        parser.add_argument(
            "--training-days",
            type=days,
            default=Thresholds().training_lag,
            metavar="DAYS",
            help="How far the model may be behind the newest event; default: 2.",
        )
        parser.add_argument("--json", action="store_true", help="Print one JSON object.")

    def handle(self, *args: Any, **options: Any) -> None:
        findings = examine(
            tenant=options["tenant"],
            thresholds=Thresholds(
                event_age=options["event_days"], training_lag=options["training_days"]
            ),
        )
        wrong = [finding for finding in findings if finding.wrong]
        if options["json"]:
            report = {"ok": not wrong, "findings": [asdict(finding) for finding in findings]}
            self.stdout.write(json.dumps(report))
        else:
            self._report(findings, wrong=len(wrong))
        if wrong:
            sys.exit(1)

    def _report(self, findings: list[Finding], *, wrong: int) -> None:
        for finding in findings:
            mark = self.style.ERROR("wrong") if finding.wrong else self.style.WARNING("note ")
            self.stdout.write(f"{mark}  {finding.subject}: {finding.message}")
            self.stdout.write(f"       → {finding.remedy}")
        if wrong:
            self.stdout.write(self.style.ERROR(f"{wrong} wrong"))
        else:
            self.stdout.write(self.style.SUCCESS("Nothing is wrong."))
