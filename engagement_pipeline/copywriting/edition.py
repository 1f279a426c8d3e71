"""Editions: all the words that a campaign could say at one time, under one short name. What a person approves."""

import hashlib

from engagement_pipeline.copywriting.catalogue import Catalogue
from engagement_pipeline.copywriting.copy import Copywriter


def edition_of(copywriter: Copywriter, catalogue: Catalogue | None) -> str:
    """Return the name (12 hexadecimal digits) of what this copywriter can say, with the offers of this catalogue.

    Goods come and go daily and promise nothing; a new offer is a new edition.
    """
    offers = () if catalogue is None else catalogue.offers
    said = "\0".join((copywriter.name, copywriter.wording, *(offer.model_dump_json() for offer in offers)))
    return hashlib.sha256(said.encode()).hexdigest()[:12]
