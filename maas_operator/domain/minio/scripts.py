"""What the Jobs beside a MinIO run. Values come by environment only, and each of them is quoted: none is ever source.

Each script may run again from its beginning, whatever it had done before. `mc` reads secrets from its standard input,
so that they stand in no command line; since a pipe hides what fails before it, they are looked at first. `mc` prints
root credentials that are too short, and its last words end in a status: they are not given to it. The image has a shell
and little else: no grep, no sed.
"""

from __future__ import annotations

from typing import Final

_BEGIN: Final = """\
set -eu
: "${ROOT_USER:?}" "${ROOT_PASSWORD:?}" "${ACCESS_KEY:?}" "${SECRET_KEY:?}" "${BUCKET:?}"
[ "${#ROOT_USER}" -ge 3 ] || { echo 'the root user is too short: it needs 3 characters' >&2; exit 1; }
[ "${#ROOT_PASSWORD}" -ge 8 ] || { echo 'the root password is too short: it needs 8 characters' >&2; exit 1; }
printf '%s\\n%s\\n' "$ROOT_USER" "$ROOT_PASSWORD" | mc alias set store "$STORE_URL"
"""

_USER: Final = """\
printf '%s\\n' "$SECRET_KEY" | mc admin user add store "$ACCESS_KEY"
"""

_GRANT: Final = """\
printf '%s' "$POLICY" > /tmp/policy.json
mc admin policy create store "$BUCKET" /tmp/policy.json
"""

_ATTACH: Final = """\
mc admin policy attach store "$BUCKET" --user "$ACCESS_KEY"
"""

# `remove` fails for a user who is not there; adding one that is there changes nothing but the key.
_REVOKE: Final = """\
mc admin user remove store "$ACCESS_KEY"
mc admin policy remove store "$BUCKET"
"""


def provision(*, has_quota: bool) -> str:
    """Return the script that makes bucket, quota, policy and user, or brings them up to date."""
    quota = 'mc quota set "store/$BUCKET" --size "$QUOTA"' if has_quota else 'mc quota clear "store/$BUCKET"'
    return f'{_BEGIN}mc mb --ignore-existing "store/$BUCKET"\n{quota}\n{_GRANT}{_USER}{_ATTACH}'


def revoke(*, with_data: bool) -> str:
    """Return the script that takes the key away, and with it bucket and data if they are to go."""
    data = 'mc rb --force "store/$BUCKET"\n' if with_data else ""
    return f"{_BEGIN}{_USER}{_REVOKE}{data}"
