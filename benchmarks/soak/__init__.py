"""``make soak``: faults at random moments; nothing may be lost, and nothing be there twice."""
