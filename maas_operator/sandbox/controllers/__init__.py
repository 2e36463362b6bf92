"""Stand-ins for the controllers around us: KServe, the 3scale-operator with 3scale itself, and zync.

They give statuses, ids, conditions, finalizers and Routes as the originals do, and refuse what the originals refuse.
"""
