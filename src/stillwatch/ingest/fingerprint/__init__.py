"""Texts to keyed fingerprints, in one compiled pass; the format is specified in `docs/fingerprints.md`."""

from stillwatch.ingest.fingerprint.batch import FINGERPRINT_SCHEMA, fingerprint, hash_column
from stillwatch.ingest.fingerprint.key import FingerprintKey

SPEC_VERSION = 1
"""Version of the format; fingerprints of different versions never compare."""

__all__ = ["FINGERPRINT_SCHEMA", "SPEC_VERSION", "FingerprintKey", "fingerprint", "hash_column"]
