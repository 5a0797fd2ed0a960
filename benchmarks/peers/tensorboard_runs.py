"""Curves as TensorBoard event files, a folder per run; by tensorboard_pages.py.

Runs in an environment of its own that has tensorboard: ``tensorboard_runs.py CURVES LOGDIR``.
"""

import sys
from pathlib import Path

import numpy as np
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.event_file_writer import EventFileWriter

curves = np.load(sys.argv[1])
for run in curves["runs"]:
    writer = EventFileWriter(str(Path(sys.argv[2]) / run))
    for update, *values in curves[run]:
        shown = [
            Summary.Value(tag=str(tag), simple_value=value)
            for tag, value in zip(curves["tags"], values, strict=True)
        ]
        writer.add_event(Event(step=int(update), summary=Summary(value=shown)))
    writer.close()
