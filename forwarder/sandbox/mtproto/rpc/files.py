"""upload.* and messages.uploadMedia: bytes in and out."""

from __future__ import annotations

from typing import Any

from telethon.tl import functions, types

from forwarder.sandbox.mtproto.tl.inputs import read_media
from forwarder.sandbox.mtproto.tl.media import write_plain_media
from forwarder.sandbox.world import TelegramError

from .registry import Caller, answers

MAX_CHUNK = 1024 * 1024


@answers(functions.upload.SaveFilePartRequest, functions.upload.SaveBigFilePartRequest)
def save_file_part(caller: Caller, request: Any) -> bool:
    return caller.door.uploads.save(caller.viewer, request.file_id, request.file_part, request.bytes)


@answers(functions.messages.UploadMediaRequest)
def upload_media(caller: Caller, request: Any) -> Any:
    caller.peer(request.peer)
    media = read_media(
        caller.world,
        caller.viewer,
        request.media,
        lambda file: caller.door.uploads.take(caller.viewer, file),
    )
    return write_plain_media(caller.world, caller.viewer, media)


@answers(functions.upload.GetFileRequest)
def get_file(caller: Caller, request: Any) -> Any:
    location = request.location
    if not isinstance(location, types.InputPhotoFileLocation | types.InputDocumentFileLocation):
        raise TelegramError(400, "LOCATION_INVALID")
    if request.offset < 0 or not 0 < request.limit <= MAX_CHUNK:
        raise TelegramError(400, "LIMIT_INVALID")
    file = caller.world.check_file(caller.viewer, location.id, location.access_hash, location.file_reference)
    chunk = file.content[request.offset : request.offset + request.limit]
    kind = types.storage.FileJpeg() if file.mime_type == "image/jpeg" else types.storage.FileUnknown()
    return types.upload.File(kind, int(caller.world.clock.now().timestamp()), chunk)
