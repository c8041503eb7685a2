"""Which room each press opens. A test holds that no press is left without one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from forwarder.bot import cb, group_presses, repair_presses, review_presses
from forwarder.bot.cb import Press
from forwarder.bot.screens import (
    adding,
    admin,
    backfills,
    channels,
    groups,
    late,
    mappings,
    menu,
    new_mapping,
    repairs,
    reviews,
)
from forwarder.bot.visit import Visit

# Each room takes its own kind of press, which the table below pairs with it.
Room = Callable[[Visit, Any], Awaitable[None]]

ROOMS: dict[type[Press], Room] = {
    cb.OpenMenu: menu.open_menu,
    cb.OpenHelp: menu.open_help,
    cb.OpenSettings: menu.open_settings,
    cb.SetLanguage: menu.set_language,
    cb.SetAlerts: menu.set_alerts,
    cb.StartAccount: admin.start_account,
    cb.SettleUnsure: mappings.settle_unsure,
    cb.AnswerOutage: late.answer_outage,
    cb.OpenLate: late.open_late,
    cb.SetAfterOutage: late.set_after_outage,
    cb.SetSkipAfter: late.set_skip_after,
    group_presses.OpenGroup: groups.open_group,
    group_presses.JoinGroup: groups.join,
    group_presses.CloseGroup: groups.close,
    review_presses.OpenReviews: reviews.open_reviews,
    review_presses.Decide: reviews.decide,
    repair_presses.TakeBackPost: repairs.take_back_post,
    repair_presses.TakeBackRecent: repairs.take_back_recent,
    repair_presses.AuditMapping: repairs.audit,
    repair_presses.MendMapping: repairs.mend,
    cb.Cancel: menu.cancel,
    cb.Nothing: menu.nothing,
    cb.OpenAdmin: admin.open_admin,
    cb.OpenChannels: channels.open_channels,
    cb.OpenChannel: channels.open_channel,
    cb.CheckChannel: channels.check_channel,
    cb.RemoveChannel: channels.remove_channel,
    cb.AddChannel: adding.ask,
    cb.OpenMappings: mappings.open_mappings,
    cb.OpenMapping: mappings.open_mapping,
    cb.PauseMapping: mappings.pause,
    cb.ResumeMapping: mappings.resume,
    cb.DisableMapping: mappings.disable,
    cb.NewMapping: new_mapping.begin,
    cb.SetChoice: new_mapping.choose,
    cb.TurnChoices: new_mapping.turn,
    cb.ChoicesDone: new_mapping.choices_done,
    cb.ChooseTopic: new_mapping.choose_topic,
    cb.ChooseMode: new_mapping.choose_mode,
    cb.StepBack: new_mapping.back,
    cb.ConfirmMappings: new_mapping.confirm,
    cb.OpenBackfill: backfills.open_backfill,
    cb.PlanBackfill: backfills.plan,
    cb.StartBackfill: backfills.start,
    cb.ChangeBackfill: backfills.change,
}
"""Every press and its room."""


async def open_room(visit: Visit, data: str) -> None:
    """Open the room that the pressed button leads to; an unknown button says that it is out of date."""
    press = cb.decode(data)
    if press is None:
        visit.alert(visit.texts.plain("stale"), loud=True)
        return
    await ROOMS[type(press)](visit, press)
