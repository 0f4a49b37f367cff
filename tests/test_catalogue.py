"""What every table and function owes, asked of the catalogue: a rule without a test drifts."""

import pytest

from harness.promises import OURS, PROMISES, Promise
from harness.session import Session

pytestmark = pytest.mark.access


@pytest.mark.parametrize("promise", PROMISES.values(), ids=PROMISES)
def test_promise_is_kept_and_would_be_missed(db: Session, promise: Promise) -> None:
    db.as_owner()
    found = db.column(OURS + promise.query)
    assert found == [], f"not so: {', '.join(map(str, found))}"
    db.run(promise.broken_by)
    assert db.column(OURS + promise.query) != [], "the check does not see what breaks the promise"


# Functions that run with their owner's rights. A new one is looked at by whoever adds it here: it asks who is calling
# before it does anything, and touches no row but the caller's, or is for staff or the server.
DEFINERS = """
    is_staff_account
    save_api_key reveal_api_key decrypt_api_key record_api_key_validation rotate_api_keys
    consume_rate_limit log_api_usage get_usage_summary
    render_text render_and_count unpublish_prompt_template
    search_prompt_history export_my_data
    get_user_activity get_api_analytics get_prompt_analytics get_feedback_analytics
    generate_daily_feedback_analytics daily_maintenance analyze_all_tables vacuum_all_tables schedule_maintenance
    run_checks get_database_stats get_connection_stats get_slow_queries get_index_usage get_index_advice
    get_storage_growth
    log_security_event detect_suspicious_activity
"""
# The same, fired by what a caller writes, or by Supabase Auth.
DEFINER_TRIGGERS = """
    tg_users__create_account tg_users__record_sign_in
    tg_audit_row tg_audit_truncate
    tg_audit_system_config tg_audit_api_providers tg_audit_prompt_frameworks tg_audit_feedback
    tg_audit_feedback_categories tg_audit_feedback_tags tg_audit_feedback_tag_assignments
    tg_refresh_rate_limits tg_require_feature
    tg_prompt_frameworks__check_template tg_prompt_templates__check_content
    tg_prompt_history__index_words tg_prompt_history__keep_costs tg_prompt_history__keep_figures
    tg_mark_changed_day tg_mark_days_of_gone_rows
    tg_feedback_categories__refuse_cycle
"""


def test_these_functions_and_no_others_have_their_owners_rights(db: Session) -> None:
    found = db.as_owner().column(
        "select proname::text from pg_proc where prosecdef "
        "and pronamespace in ('public'::regnamespace, 'private'::regnamespace, 'archive'::regnamespace)"
    )
    assert sorted(found) == sorted((DEFINERS + DEFINER_TRIGGERS).split())
