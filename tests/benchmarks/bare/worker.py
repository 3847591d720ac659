"""``python -m bare.worker APP``: a Celery worker, until it is ready."""

import os
import sys

from celery.bin.celery import celery
from celery.signals import worker_ready


@worker_ready.connect
def _is_ready(**_: object) -> None:
    os._exit(0)


celery.main(args=["-A", sys.argv[1], *"worker -P threads -c 2 -l ERROR --without-gossip --without-mingle".split()])
