"""Pages of Ask a Librarian, for patrons and guests, and of questions and answers."""

import asyncio
from collections.abc import Mapping
from typing import Any

from fastapi import Response

from services.gateway.web import forms
from services.gateway.web.api import Failure, segment
from services.gateway.web.branches import branch_names
from services.gateway.web.enquiries.uploads import send_with_files
from services.gateway.web.page_request import Anyone, PageRequest, PatronRequest
from services.gateway.web.pages import Pages
from shared.translations import marked

router = Pages(
    menus={
        "patron": [("/enquiries", marked("Ask a Librarian"))],
        "anyone": [("/questions", marked("Questions and answers"))],
    },
    messages={
        "enquiry-opened": marked(
            "Your question is sent. We'll tell you when a librarian has answered it."
        ),
        "suggestion-sent": marked(
            "Your suggestion is sent. We'll tell you whether the library buys it."
        ),
        "voted": marked("Thank you for telling us."),
        "enquiry-replied": marked("Your message is sent."),
        "enquiry-closed": marked("The question is closed."),
        "guest-asked": marked(
            "Please look into your e-mails now, and confirm your question with the link in ours."
        ),
        "guest-confirmed": marked(
            "Your question is sent. You get an e-mail when a librarian has answered it."
        ),
        "guest-erased": marked("Your question and your e-mail address are deleted."),
    },
    problems={
        "no-such-enquiry": marked("There is no such question."),
        "enquiry-closed": marked(
            "This question is closed. Only a reply of the reader opens it again."
        ),
        "enquiry-merged": marked(
            "The library answers this question together with another of yours. Write there."
        ),
        "no-such-guest-enquiry": marked(
            "This link doesn't work any more. The question may have been deleted."
        ),
        "guests-not-answered": marked(
            "The library can't answer by e-mail at the moment. Please log in, or ask at a library."
        ),
        "enquiry-full": marked("This question has too many messages. Please ask a new one."),
        "bad-attachment": marked(
            "A file is a PDF, a picture (PNG or JPEG) or plain text in UTF-8."
        ),
        "file-too-large": marked("One of the files is too large. Your message was not sent."),
        "too-many-files": marked("There are too many files. Your message was not sent."),
        "too-many-attachments": marked(
            "There are too many files. Send fewer, or ask a new question."
        ),
        "no-such-attachment": marked("There is no such file."),
        "too-many-enquiries": marked("You have too many open questions. Close one of them first."),
        "no-such-question": marked("There is no such question."),
    },
    at_fault={
        "bad-attachment": "files",
        "file-too-large": "files",
        "too-many-files": "files",
        "too-many-attachments": "files",
    },
    fields={
        "subject": marked("What is it about?"),
        "address": marked("Your e-mail address"),
        "files": marked("Files"),
    },
)


@router.get("/enquiries")
async def get_enquiries(
    request: PatronRequest, after: str = "", title: str = "", branch: str = ""
) -> Response:
    """List the patron's questions, with a form to ask another, about a title or a library."""
    return await _enquiries(request, after, title, branch)


@router.post("/enquiries")
async def post_enquiry(request: PatronRequest) -> Response:
    """Ask a question, and go to it."""
    body = {
        "subject": request.text("subject"),
        "text": request.text("text"),
        "language": request.language.code,
        "branch": request.text("branch") or None,
        "title_id": request.text("title") or None,
    }
    reply = await send_with_files(request, "/v1/enquiries", body)
    if reply.done:
        return request.go(f"/enquiries/{reply.json()['id']}", "enquiry-opened")
    return await _enquiries(
        request, "", request.text("title"), refused=reply.refusal(404, 409, 413, 422)
    )


@router.get("/suggest")
async def get_suggest(request: PatronRequest, q: str = "") -> Response:
    """Show the form to suggest a purchase, with the words or the ISBN of a search."""
    words = " ".join(q.split())[:200]
    is_isbn = bool(words) and set(words) <= set("0123456789Xx- ")
    return _suggest(request, {"isbn" if is_isbn else "subject": words})


@router.post("/suggest")
async def post_suggest(request: PatronRequest) -> Response:
    """Suggest that the library buys a title, and go to the suggestion."""
    body = {
        "subject": request.text("subject"),
        "text": request.text("text"),
        "language": request.language.code,
        "wanted": {"author": request.text("author"), "isbn": request.text("isbn")},
    }
    reply = await request.send("POST", "/v1/enquiries", body)
    if reply.done:
        return request.go(f"/enquiries/{reply.json()['id']}", "suggestion-sent")
    return _suggest(request, {}, reply.refusal(409, 422))


def _suggest(
    request: PageRequest, sought: Mapping[str, str], refused: Failure | None = None
) -> Response:
    form = forms.outcome_of(request, refused)
    return request.page("enquiries/suggest.html", sought=sought, **form)


@router.get("/enquiries/{enquiry_id}")
async def get_enquiry(request: PatronRequest, enquiry_id: str) -> Response:
    """Show a question with its messages, and a form to reply."""
    return await _enquiry(request, enquiry_id)


@router.post("/enquiries/{enquiry_id}/replies")
async def post_reply(request: PatronRequest, enquiry_id: str) -> Response:
    """Reply to the library, or write something more."""
    path = f"/v1/enquiries/{segment(enquiry_id)}/replies"
    reply = await send_with_files(request, path, {"text": request.text("text")})
    if reply.done:
        return request.go(f"/enquiries/{segment(enquiry_id)}", "enquiry-replied")
    return await _enquiry(request, enquiry_id, reply.refusal(404, 409, 413, 422))


@router.post("/enquiries/{enquiry_id}/closure")
async def post_closure(request: PatronRequest, enquiry_id: str) -> Response:
    """Close a question."""
    path = f"/v1/enquiries/{segment(enquiry_id)}/closure"
    reply = await request.send("POST", path, {})
    if not reply.done:
        return request.refused(f"/enquiries/{segment(enquiry_id)}", reply)
    return request.go("/enquiries", "enquiry-closed")


@router.get("/attachments/{attachment_id}")
async def get_attachment(request: Anyone, attachment_id: str) -> Response:
    """Download a file of a question."""
    reply = await request.api.get(f"/v1/attachments/{segment(attachment_id)}")
    return request.file(reply)


async def _enquiries(
    request: PageRequest, after: str, title: str, branch: str = "", refused: Failure | None = None
) -> Response:
    query = {"after": after} if after else {}
    asked, names, named = await asyncio.gather(
        request.api.get("/v1/me/enquiries", **query),
        branch_names(request.api),
        _title_name(request, title),
    )
    found = asked.json()
    return request.page(
        "enquiries/enquiries.html",
        enquiries=found["items"],
        next=found["next"],
        branches=names,
        branch=branch,
        title=title if named else "",
        title_name=named,
        **forms.outcome_of(request, refused),
    )


async def _enquiry(
    request: PageRequest, enquiry_id: str, refused: Failure | None = None
) -> Response:
    asked, names = await asyncio.gather(
        request.api.get(f"/v1/enquiries/{segment(enquiry_id)}"), branch_names(request.api)
    )
    return request.page(
        "enquiries/enquiry.html",
        enquiry=asked.json(),
        branches=names,
        **forms.outcome_of(request, refused),
    )


async def _title_name(request: PageRequest, title_id: str) -> str:
    """Return the name of a title to ask about; "" if there is none."""
    if not title_id:
        return ""
    reply = await request.api.get(f"/v1/titles/{segment(title_id)}")
    return str(reply.json()["title"]) if reply.done else ""


API = "/v1/guest-enquiries"
NOT_INDEXED = {"X-Robots-Tag": "noindex"}


@router.get("/ask")
async def get_ask(request: Anyone) -> Response:
    """Show the form to ask without an account."""
    return await _form(request)


@router.post("/ask")
async def post_ask(request: Anyone) -> Response:
    """Ask; an e-mail with a link confirms the address."""
    typed = {name: request.text(name) for name in ("subject", "text", "address")}
    body = typed | {"language": request.language.code}
    reply = await request.send("POST", API, body)
    if reply.done:
        return request.go("/ask", "guest-asked")
    return await _form(request, reply.refusal(409, 422))


@router.get("/ask/{token}")
async def get_thread(request: Anyone, token: str) -> Response:
    """Show the question of a link, or the button to confirm it.

    A button, because mail programs follow links by themselves.
    """
    return await _thread(request, token)


@router.post("/ask/{token}/confirmation")
async def post_confirmation(request: Anyone, token: str) -> Response:
    """Confirm the address."""
    return await _sent(request, token, "confirmation", "guest-confirmed")


@router.post("/ask/{token}/replies")
async def post_guest_reply(request: Anyone, token: str) -> Response:
    """Reply to the library, or write something more."""
    return await _sent(request, token, "replies", "enquiry-replied", text=request.text("text"))


@router.post("/ask/{token}/closure")
async def post_guest_closure(request: Anyone, token: str) -> Response:
    """Close the question."""
    return await _sent(request, token, "closure", "enquiry-closed")


@router.post("/ask/{token}/erasure")
async def post_erasure(request: Anyone, token: str) -> Response:
    """Delete the question with everything about it."""
    reply = await request.send("POST", f"{API}/erasure", {"token": token})
    reply.succeed()
    return request.go("/ask", "guest-erased")


@router.get("/ask/{token}/files/{file}")
async def get_file(request: Anyone, token: str, file: str) -> Response:
    """Download a file of an answer."""
    reply = await request.api.get(f"{API}/files", token=token, file=file)
    return request.file(reply)


async def _sent(
    request: PageRequest, token: str, command: str, message: str, **more: Any
) -> Response:
    body = {"token": token, **more}
    reply = await request.send("POST", f"{API}/{command}", body)
    if reply.done:
        return request.go(f"/ask/{segment(token)}", message)
    return await _thread(request, token, reply.refusal(409, 422))


async def _form(request: PageRequest, refused: Failure | None = None) -> Response:
    channels = await request.api.get("/v1/channels")
    return request.page(
        "enquiries/ask.html",
        answered="email" in channels.json()["channels"],
        **forms.outcome_of(request, refused),
    )


async def _thread(request: PageRequest, token: str, refused: Failure | None = None) -> Response:
    found = (await request.api.get(API, token=token)).json()
    response = request.page(
        "enquiries/guest-enquiry.html",
        token=token,
        found=found,
        enquiry=found["question"],
        **forms.outcome_of(request, refused),
    )
    response.headers.update(NOT_INDEXED)
    return response


@router.get("/questions")
async def get_questions(request: Anyone, q: str = "", after: str = "") -> Response:
    """Show the search form, and the questions that were found or published last."""
    sought = q.strip()[:200]
    query = {name: text for name, text in {"q": sought, "after": after}.items() if text}
    found = (await request.api.get("/v1/questions", **query)).json()
    return request.page(
        "enquiries/questions.html",
        q=sought,
        questions=[(question["id"], *wording(request, question)) for question in found["items"]],
        next=found["next"],
    )


@router.get("/questions/{question_id}")
async def get_question(request: Anyone, question_id: str) -> Response:
    """Show a question with its answer."""
    question = (await request.api.get(f"/v1/questions/{segment(question_id)}")).json()
    language, text = wording(request, question)
    return request.page(
        "enquiries/question.html", question=question, language_of_text=language, text=text
    )


@router.post("/questions/{question_id}/votes")
async def post_vote(request: PatronRequest, question_id: str) -> Response:
    """Say whether the answer helped."""
    path = f"/v1/questions/{segment(question_id)}/votes"
    body = {"helpful": request.text("helpful") == "yes"}
    (await request.send("POST", path, body)).json()
    return request.go(f"/questions/{segment(question_id)}", "voted")


def wording(request: PageRequest, question: dict[str, Any]) -> tuple[str, dict[str, str]]:
    """Return a question's wording in the visitor's language, or else another, with its language."""
    wordings: dict[str, dict[str, str]] = question["wordings"]
    own = request.language.code
    language = own if own in wordings else next(iter(wordings))
    return language, wordings[language]
