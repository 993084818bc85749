"""Which text of the policy a member of staff acknowledged (article 2): a hash over law, pack and the association's own document.

Invariant: a new version of either pack or a document of other words is a new hash, so an acknowledgement of the old text no longer counts.
"""

import hashlib
from functools import cache

from vault.policy.pack import load
from vault.rulebook.shapes import AssociationFact, StaffFact


def policy_sha256(association: AssociationFact) -> str:
    """Return the SHA-256, in hexadecimal, that the acknowledgement of this association's policy names."""
    version = association.pack_version or load(association.pack).version
    return _sha256(f"{association.pack} {version}", association.law_pack, association.published_policy)


def has_acknowledged(association: AssociationFact, member: StaffFact) -> bool:
    """Say whether the person acknowledged the policy as it now stands."""
    return member.acknowledged == policy_sha256(association)


@cache
def _sha256(pack: str, law_pack: str, document: str) -> str:
    text = f"{pack}\n{law_pack} {load(law_pack).version}\n"
    text += f"document {document}\n" if document else ""
    return hashlib.sha256(text.encode()).hexdigest()
