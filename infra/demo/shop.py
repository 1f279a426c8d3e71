"""A shop on these tables: its settings, the sample, and users of a deployment that was there before us."""

import csv
import gzip
import os
import re
import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from engagement_pipeline.platform.settings import PROJECT_ROOT, Settings
from infra.demo.cloud import DOMAIN, Cloud

_SAMPLE = PROJECT_ROOT / "data" / "cdnow" / "orders.csv.gz"
_BRAND = PROJECT_ROOT / "data" / "brand.yaml"


def settings_of(cloud: Cloud, folder: Path) -> Settings:
    """Settle, for this process and those it starts, what a deployment's environment settles."""
    brand = folder / "brand.yaml"
    brand.write_text(re.sub(r"stitchfix(@|\.)example\.com", rf"stitchfix\g<1>{DOMAIN}", _BRAND.read_text()))
    ours = {
        "ENGAGEMENT_AWS_ENDPOINT_URL": cloud.url,
        "ENGAGEMENT_DATA_DIR": str(folder),
        "ENGAGEMENT_BRAND_FILE": str(brand),
        "ENGAGEMENT_SECRET_KEY": secrets.token_hex(32),
        "ENGAGEMENT_SEND_MODE": "live",
        "ENGAGEMENT_DELIVERY__PROVIDER": "ses",
        "ENGAGEMENT_DELIVERY__PUBLIC_URL": f"https://engagement.{DOMAIN}",
        "ENGAGEMENT_DELIVERY__WARM_UP": "false",
        # Whoever looks at midnight should see e-mails too, and nobody is held out of seven.
        "ENGAGEMENT_GATE__SENDING_HOUR_FROM": "0",
        "ENGAGEMENT_GATE__SENDING_HOUR_TO": "24",
        "ENGAGEMENT_GATE__HOLD_OUT_SHARE": "0",
    }
    # Whatever else is set on this machine is for another shop.
    for name in [name for name in os.environ if name.startswith("ENGAGEMENT_")]:
        del os.environ[name]
    os.environ.update({**cloud.variables, **ours})
    return Settings()


def part_of_the_sample(users: int, folder: Path) -> Path:
    """Write the orders of the sample's first users."""
    seen: set[str] = set()
    part = folder / "orders.csv"
    with gzip.open(_SAMPLE, "rt", newline="") as source, part.open("w", newline="") as target:
        rows = csv.DictReader(source)
        writer = csv.DictWriter(target, rows.fieldnames or [])
        writer.writeheader()
        for row in rows:
            if row["user_id"] in seen or len(seen) < users:
                seen.add(row["user_id"])
                writer.writerow(row)
    return part


def earlier_user(number: int, now: datetime) -> Mapping[str, Any]:
    """Return the item of a user as the earlier deployment kept it, which knew nothing of consent."""
    silent_since = now - timedelta(days=70 + number)
    return {
        "userId": {"S": f"earlier-{number}"},
        "email": {"S": f"earlier-{number}@example.com"},
        "name": {"S": "Ada Example"},
        "lastOrderDate": {"S": silent_since.isoformat()},
        "orderCount": {"N": "2"},
        "averageOrderValue": {"N": "42.5"},
        "preferredCategories": {"L": [{"S": "denim"}]},
        "engagementScore": {"N": "100"},
        "createdAt": {"S": (now - timedelta(days=400)).isoformat()},
        "updatedAt": {"S": silent_since.isoformat()},
    }
