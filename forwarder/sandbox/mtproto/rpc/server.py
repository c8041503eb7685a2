"""help.*: what a client asks about the server itself, and calls that only have to be taken note of."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from telethon.tl import functions, types

from .registry import Caller, answers


@answers(functions.help.GetConfigRequest, anonymous=True)
def get_config(caller: Caller, _: Any) -> Any:
    door, rules = caller.door, caller.world.rules
    now = caller.world.clock.now()
    return types.Config(
        date=now,
        expires=now + timedelta(hours=1),
        test_mode=False,
        this_dc=door.DC,
        dc_options=[types.DcOption(id=door.DC, ip_address=door.host, port=door.port)],
        dc_txt_domain_name="",
        chat_size_max=200,
        megagroup_size_max=200_000,
        forwarded_count_max=100,
        online_update_period_ms=210_000,
        offline_blur_timeout_ms=5_000,
        offline_idle_timeout_ms=30_000,
        online_cloud_timeout_ms=300_000,
        notify_cloud_delay_ms=30_000,
        notify_default_delay_ms=1_500,
        push_chat_period_ms=60_000,
        push_chat_limit=2,
        edit_time_limit=int(rules.edit_window),
        revoke_time_limit=2**31 - 1,
        revoke_pm_time_limit=2**31 - 1,
        rating_e_decay=2_419_200,
        stickers_recent_limit=200,
        channels_read_media_period=604_800,
        call_receive_timeout_ms=20_000,
        call_ring_timeout_ms=90_000,
        call_connect_timeout_ms=30_000,
        call_packet_timeout_ms=10_000,
        me_url_prefix="https://t.me/",
        caption_length_max=rules.caption_limit,
        message_length_max=rules.text_limit,
        webfile_dc_id=door.DC,
    )


@answers(functions.help.GetAppConfigRequest, anonymous=True)
def get_app_config(caller: Caller, _: Any) -> Any:
    rules = caller.world.rules
    numbers = {
        "caption_length_limit_default": rules.caption_limit,
        "caption_length_limit_premium": rules.caption_limit_premium,
    }
    values = [types.JsonObjectValue(key, types.JsonNumber(float(value))) for key, value in numbers.items()]
    return types.help.AppConfig(1, types.JsonObject(values))


@answers(functions.help.GetNearestDcRequest, anonymous=True)
def get_nearest_dc(caller: Caller, _: Any) -> Any:
    return types.NearestDc("XX", caller.door.DC, caller.door.DC)


@answers(
    functions.account.UpdateStatusRequest,
    functions.messages.SetTypingRequest,
    functions.channels.ReadHistoryRequest,
    functions.channels.ReadMessageContentsRequest,
)
def noted(_caller: Caller, _request: Any) -> bool:
    """Being online, typing and reading leave no trace in this world."""
    return True


@answers(functions.messages.ReadHistoryRequest)
def read_history(caller: Caller, _: Any) -> Any:
    return types.messages.AffectedMessages(caller.world.memory.boxes[caller.viewer].pts, 0)
