"""Work beside the pages: jobs that wait in the database until `manage.py worker` has done them. Knows no domain.

A job is a function with `@job()` around it, and `.enqueue(...)` with plain values puts it in the queue, in the caller's
transaction. It may be done more than once (its worker is killed after the work and before the note of it): what must
not happen twice is claimed by the job itself, in a row of its own.
"""
