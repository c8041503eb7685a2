"""auth.*, account.*, users.*, contacts.*: logging in, and who is who."""

from __future__ import annotations

import os
from typing import Any

from telethon.tl import functions, types

from forwarder.sandbox.mtproto.handshake import GENERATOR
from forwarder.sandbox.mtproto.keys import Login
from forwarder.sandbox.mtproto.srp import P_BYTES, Verifier
from forwarder.sandbox.mtproto.tl.peers import write_peer, write_user
from forwarder.sandbox.world import Account, TelegramError
from forwarder.sandbox.world import ids as marked

from .registry import Caller, answers


def _authorization(caller: Caller, account: Account) -> Any:
    return types.auth.Authorization(user=write_user(caller.world, account.id, account))


def _check_application(request: Any) -> None:
    if request.api_id <= 0 or not request.api_hash:
        raise TelegramError(400, "API_ID_INVALID")


# -- logging in --------------------------------------------------------------------------------------------


@answers(functions.auth.SendCodeRequest, anonymous=True)
def send_code(caller: Caller, request: Any) -> Any:
    _check_application(request)
    code = caller.door.logins.send_code(request.phone_number)
    return types.auth.SentCode(types.auth.SentCodeTypeApp(len(code.digits)), code.hash)


@answers(functions.auth.SignInRequest, anonymous=True)
def sign_in(caller: Caller, request: Any) -> Any:
    account = caller.door.logins.sign_in(
        caller.login, request.phone_number, request.phone_code_hash, request.phone_code or ""
    )
    return _authorization(caller, account)


@answers(functions.account.GetPasswordRequest, anonymous=True)
def get_password(caller: Caller, _: Any) -> Any:
    challenge = caller.door.logins.challenge(caller.login)
    fresh = {
        "new_algo": _algorithm(os.urandom(8), os.urandom(16)),
        "new_secure_algo": types.SecurePasswordKdfAlgoUnknown(),
        "secure_random": os.urandom(256),
    }
    if challenge is None:
        return types.account.Password(**fresh)
    verifier: Verifier = challenge.verifier
    return types.account.Password(
        **fresh,
        has_password=True,
        current_algo=_algorithm(verifier.salt1, verifier.salt2),
        srp_B=challenge.public.to_bytes(256, "big"),
        srp_id=challenge.id,
    )


def _algorithm(salt1: bytes, salt2: bytes) -> Any:
    return types.PasswordKdfAlgoSHA256SHA256PBKDF2HMACSHA512iter100000SHA256ModPow(
        salt1, salt2, GENERATOR, P_BYTES
    )


@answers(functions.auth.CheckPasswordRequest, anonymous=True)
def check_password(caller: Caller, request: Any) -> Any:
    answer = request.password
    if not isinstance(answer, types.InputCheckPasswordSRP):
        raise TelegramError(400, "PASSWORD_HASH_INVALID")
    account = caller.door.logins.check_password(caller.login, answer.srp_id, answer.A, answer.M1)
    return _authorization(caller, account)


@answers(functions.auth.ImportBotAuthorizationRequest, anonymous=True)
def import_bot_authorization(caller: Caller, request: Any) -> Any:
    _check_application(request)
    bot = caller.world.by_token(request.bot_auth_token)
    if bot is None:
        raise TelegramError(400, "ACCESS_TOKEN_INVALID")
    return _authorization(caller, caller.door.logins.authorize(caller.login, bot.id))


@answers(functions.auth.ExportLoginTokenRequest, anonymous=True)
def export_login_token(caller: Caller, request: Any) -> Any:
    _check_application(request)
    if caller.login.account is not None:
        return types.auth.LoginTokenSuccess(_authorization(caller, caller.account))
    found = caller.door.logins.export_token(caller.login)
    if isinstance(found, Account):
        return types.auth.LoginTokenSuccess(_authorization(caller, found))
    return types.auth.LoginToken(caller.world.clock.now() + caller.door.logins.token_expiry(), found)


@answers(functions.auth.AcceptLoginTokenRequest, bots=False)
def accept_login_token(caller: Caller, request: Any) -> Any:
    return _describe(caller, caller.door.logins.accept_token(caller.viewer, request.token))


@answers(functions.auth.LogOutRequest)
def log_out(caller: Caller, _: Any) -> Any:
    caller.door.logins.log_out(caller.login)
    return types.auth.LoggedOut()


@answers(functions.account.GetAuthorizationsRequest, bots=False)
def get_authorizations(caller: Caller, _: Any) -> Any:
    logins = caller.door.keys.of_account(caller.viewer)
    return types.account.Authorizations(180, [_describe(caller, login) for login in logins])


@answers(functions.account.ResetAuthorizationRequest, bots=False)
def reset_authorization(caller: Caller, request: Any) -> bool:
    """Log another login of the account out."""
    for login in caller.door.keys.of_account(caller.viewer):
        if _hash(login) == request.hash:
            caller.door.logins.log_out(login)
            return True
    raise TelegramError(400, "HASH_INVALID")


def _hash(login: Login) -> int:
    return (login.key_id >> 1) or 1


def _describe(caller: Caller, login: Login) -> Any:
    own = login is caller.login
    return types.Authorization(
        hash=0 if own else _hash(login),
        device_model=login.device or "unknown",
        platform="",
        system_version="",
        api_id=1,
        app_name="",
        app_version="",
        date_created=login.created,
        date_active=caller.world.clock.now(),
        ip="127.0.0.1",
        country="",
        region="",
        current=own or None,
    )


# -- who is who --------------------------------------------------------------------------------------------


@answers(functions.users.GetUsersRequest)
def get_users(caller: Caller, request: Any) -> Any:
    found = []
    for user in request.id:
        try:
            account = caller.world.account(caller.user(user))
        except TelegramError:
            found.append(types.UserEmpty(getattr(user, "user_id", 0)))
        else:
            found.append(write_user(caller.world, caller.viewer, account))
    return found


@answers(functions.users.GetFullUserRequest)
def get_full_user(caller: Caller, request: Any) -> Any:
    account = caller.user(request.id)
    sight = caller.sight()
    sight.name(account)
    full = types.UserFull(
        account,
        types.PeerSettings(),
        types.PeerNotifySettings(),
        0,
        blocked=True if (caller.viewer, account) in caller.world.memory.blocked else None,
    )
    return types.users.UserFull(full, sight.chats(), sight.users())


@answers(functions.contacts.ResolveUsernameRequest)
def resolve_username(caller: Caller, request: Any) -> Any:
    found = caller.world.resolve_username(request.username)
    sight = caller.sight()
    sight.name(found)
    return types.contacts.ResolvedPeer(write_peer(found), sight.chats(), sight.users())


@answers(functions.contacts.GetContactsRequest, bots=False)
def get_contacts(_caller: Caller, _request: Any) -> Any:
    return types.contacts.Contacts([], 0, [])


@answers(functions.contacts.BlockRequest, bots=False)
def block(caller: Caller, request: Any) -> bool:
    return _block(caller, request.id, blocked=True)


@answers(functions.contacts.UnblockRequest, bots=False)
def unblock(caller: Caller, request: Any) -> bool:
    return _block(caller, request.id, blocked=False)


def _block(caller: Caller, peer: Any, *, blocked: bool) -> bool:
    other = caller.peer(peer)
    if not marked.is_user(other):
        raise TelegramError(400, "PEER_ID_INVALID")
    caller.world.block(caller.viewer, other, blocked=blocked)
    return True
