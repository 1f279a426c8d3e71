"""Whatever has got into the store, by whatever way, is text on every page."""

from datetime import timedelta

import sqlalchemy as sa

from engagement_pipeline.copywriting.tables import copy_approvals
from engagement_pipeline.delivery.tables import email_events, emails, suppressions
from engagement_pipeline.platform import facts, run_failures, run_marks
from engagement_pipeline.platform.audit import audit_log
from engagement_pipeline.users.tables import orders, users
from engagement_pipeline_tests.delivery.parts import COPY
from engagement_pipeline_tests.web.dashboard.conftest import Desk

# Leaves a text, an attribute, and a script.
SHARP = """"'></script><svg onload=alert(1)>{{7*7}}"""
COPY_FIELDS = ("subject", "preheader", "greeting", "call_to_action")


def poison(desk: Desk) -> None:
    """Put markup wherever there is room for text, past all that would refuse it on its way in."""
    sharp_copy = COPY.model_dump(mode="json") | dict.fromkeys(COPY_FIELDS, SHARP) | {"paragraphs": [SHARP, SHARP]}
    sharp_email = {
        "copy": sharp_copy,
        "copywriter": SHARP,
        "variant": SHARP,
        "campaign": desk.settings.campaign,
        "reason": SHARP,
        "provider": SHARP,
        "provider_message_id": SHARP,
        "requested_by": SHARP,
        "overrides": [SHARP],
        "provenance": {"model": SHARP, "prompt_version": SHARP, "failures": [SHARP], "brief": {"silence": SHARP}},
    }
    event = {
        "event_id": SHARP,
        "email_id": desk.email_ids[0],
        "kind": SHARP[:32],
        "source": SHARP[:32],
        "occurred_at": desk.now,
        "received_at": desk.now,
        "original": f'{{"url": "{SHARP.replace(chr(34), "")}", "note": "<svg onload=alert(1)>"}}',
    }
    order = {"order_id": SHARP, "user_id": "u00001", "ordered_at": desk.now - timedelta(days=90), "total_value": 1.0}
    with desk.database.write() as connection:
        connection.execute(sa.update(emails).values(sharp_email))
        connection.execute(sa.update(emails).where(emails.c.status == "draft").values(edition=SHARP[:16]))
        connection.execute(
            sa.update(users).values(name=SHARP, email=SHARP, preferred_categories=[SHARP], time_zone=SHARP[:16])
        )
        connection.execute(sa.insert(email_events), [event])
        connection.execute(
            sa.insert(orders),
            [order | {"item_count": 1, "skus": [SHARP], "status": "delivered", "updated_at": desk.now}],
        )
        connection.execute(
            sa.insert(suppressions),
            [{"address_key": "a" * 64, "reason": SHARP[:32], "source": SHARP, "suppressed_at": desk.now}],
        )
        verdict = {"edition": "0123abcd4567", "verdict": "approved", "decided_by": SHARP, "note": SHARP}
        connection.execute(
            sa.insert(copy_approvals), [verdict | {"campaign": desk.settings.campaign, "decided_at": desk.now}]
        )
        entry = {"actor": SHARP, "action": SHARP, "entity": SHARP[:32], "entity_id": SHARP, "details": {SHARP: SHARP}}
        connection.execute(sa.insert(audit_log), [entry | {"happened_at": desk.now}])
        facts.put(connection, "breaker_tripped", SHARP)
        run_marks.record(connection, SHARP, succeeded=True, ended_at=desk.now)
        run_failures.record(connection, run_id=SHARP, job=SHARP, steps=[SHARP], error=SHARP, failed_at=desk.now)


def test_markup_in_the_store_is_text_on_every_page(desk: Desk) -> None:
    visitor = desk.visitor("write", needs_approval=True)
    poison(desk)
    pages = ["/", "/users", "/users?q=x", "/user/u00001", "/users/edit/u00001", "/emails", "/approvals", "/campaigns"]
    pages += ["/suppressions", f"/suppressions/remove/{'a' * 64}", "/system"]
    pages += [f"/email/{email_id}{look}" for email_id in desk.email_ids for look in ("", "?look=text")]
    shown = ""
    for page in pages:
        text = visitor.see(page)
        assert "<svg" not in text.replace('<svg class="', ""), page
        shown += text
    # What was looked for is there, as text: in names, categories, copy, notes, reasons, the log.
    assert shown.count("&lt;svg onload=alert(1)&gt;{{7*7}}") > 30
    # It is no copy that could be sent, and is not rendered.
    assert shown.count("No copy to show") == 2 * len(desk.email_ids)
    for email_id in desk.email_ids:
        assert "<svg" not in visitor.see(f"/emails/preview/{email_id}", 404).replace('<svg class="', "")
