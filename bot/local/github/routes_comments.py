"""REST routes of comments and reactions."""

from __future__ import annotations

from bot.local.github.access import is_writer
from bot.local.github.app import Operation, operation
from bot.local.github.conversation import add_comment, delete_comment, edit_comment
from bot.local.github.hub import parse_iso
from bot.local.github.nouns import Comment, Reaction
from bot.local.github.rest import ApiError, Call, Reply, invalid, limited, no_content, not_found, paged
from bot.local.github.routes_issues import issue_of, require_for
from bot.local.github.shapes import REACTIONS, comment_json, reaction_json


def _body(call: Call) -> str:
    body = call.text("body")
    if not body.strip():
        raise invalid("IssueComment", "body", "missing_field")
    limited("IssueComment", "body", body)
    return body


def comment_of(call: Call, level: str) -> Comment:
    comment = call.hub.store.comments.get(call.number("id"))
    if comment is None:
        raise not_found()
    require_for(call, call.hub.store.issues[comment.issue], level)
    return comment


def _since(call: Call) -> float:
    since = parse_iso(call.query["since"]) if "since" in call.query else 0.0
    if since is None:
        raise invalid("IssueComment", "since", "invalid")
    return since


def create_comment(call: Call) -> Reply:
    issue = issue_of(call)
    require_for(call, issue, "participate")
    return Reply(comment_json(call.hub, add_comment(call.hub, call.actor, issue.number, _body(call))), 201)


def list_comments(call: Call) -> Reply:
    issue = issue_of(call)
    require_for(call, issue, "read")
    since = _since(call)
    found = [comment for comment in call.hub.store.comments_of(issue.number) if int(comment.updated_at) >= int(since)]
    return paged(call, found, lambda comment: comment_json(call.hub, comment))


def list_all_comments(call: Call) -> Reply:
    since = _since(call)
    order = call.choice("sort", ("created", "updated"), "created")
    newest_first = "sort" in call.query and call.choice("direction", ("asc", "desc"), "desc") == "desc"
    found = [comment for comment in call.hub.store.comments.values() if int(comment.updated_at) >= int(since)]
    found.sort(key=lambda comment: (comment.updated_at if order == "updated" else comment.created_at, comment.id), reverse=newest_first)
    return paged(call, found, lambda comment: comment_json(call.hub, comment))


def get_comment(call: Call) -> Reply:
    return Reply(comment_json(call.hub, comment_of(call, "read")))


def _own_comment(call: Call) -> Comment:
    comment = comment_of(call, "participate")
    if not is_writer(call.actor) and comment.author != call.actor.login:
        raise ApiError(403, "Must have push access or be the author of the comment.")
    return comment


def update_comment(call: Call) -> Reply:
    return Reply(comment_json(call.hub, edit_comment(call.hub, call.actor, _own_comment(call), _body(call))))


def remove_comment(call: Call) -> Reply:
    delete_comment(call.hub, call.actor, _own_comment(call))
    return no_content()


def _subject(call: Call, level: str) -> tuple[str, int]:
    if "id" in call.params:
        return "comment", comment_of(call, level).id
    issue = issue_of(call)
    require_for(call, issue, level)
    return "issue", issue.number


def react(call: Call) -> Reply:
    """201 for a new reaction, 200 when the same account had made it before."""
    subject, content = _subject(call, "participate"), call.text("content")
    if content not in REACTIONS:
        raise ApiError(422, f"Invalid request.\n\n{content!r} is not a reaction: {', '.join(REACTIONS)}.")
    store = call.hub.store
    same = [known for known in store.reactions_to(subject) if (known.author, known.content) == (call.actor.login, content)]
    if same:
        return Reply(reaction_json(call.hub, same[0]), 200)
    reaction = Reaction(store.next_id(), subject, call.actor.login, content, call.hub.clock())
    store.reactions[reaction.id] = reaction
    return Reply(reaction_json(call.hub, reaction), 201)


def list_reactions(call: Call) -> Reply:
    wanted = call.query.get("content")
    found = [reaction for reaction in call.hub.store.reactions_to(_subject(call, "read")) if wanted in (None, reaction.content)]
    return paged(call, found, lambda reaction: reaction_json(call.hub, reaction))


def remove_reaction(call: Call) -> Reply:
    subject = _subject(call, "participate")
    reaction = call.hub.store.reactions.get(call.number("reaction"))
    if reaction is None or reaction.subject != subject:
        raise not_found()
    if not is_writer(call.actor) and reaction.author != call.actor.login:
        raise ApiError(403, "Must have push access or be the author of the reaction.")
    del call.hub.store.reactions[reaction.id]
    return no_content()


_EITHER = ("issues", "pull-requests")
OPERATIONS: tuple[Operation, ...] = (
    operation("GET", "/issues/comments", list_all_comments, "read", *_EITHER),
    operation("GET", "/issues/comments/{id}", get_comment, "read", *_EITHER),
    operation("PATCH", "/issues/comments/{id}", update_comment, "participate", *_EITHER),
    operation("DELETE", "/issues/comments/{id}", remove_comment, "participate", *_EITHER),
    operation("GET", "/issues/comments/{id}/reactions", list_reactions, "read", *_EITHER),
    operation("POST", "/issues/comments/{id}/reactions", react, "participate", *_EITHER),
    operation("DELETE", "/issues/comments/{id}/reactions/{reaction}", remove_reaction, "participate", *_EITHER),
    operation("GET", "/issues/{number}/comments", list_comments, "read", *_EITHER),
    operation("POST", "/issues/{number}/comments", create_comment, "participate", *_EITHER),
    operation("GET", "/issues/{number}/reactions", list_reactions, "read", *_EITHER),
    operation("POST", "/issues/{number}/reactions", react, "participate", *_EITHER),
    operation("DELETE", "/issues/{number}/reactions/{reaction}", remove_reaction, "participate", *_EITHER),
)
