"""The words around a notification in an e-mail, and of the e-mails to guests."""

from shared.translations import marked

SUBJECT = marked("Your library account: {title}")
SUBJECT_WITHOUT_TITLE = marked("News in your library account")
SUBJECT_OF_DIGEST = marked("Your library account: {count} messages")
SEE = marked("See your messages: {address}")
WHY = marked("You get this e-mail because you chose e-mail in My Setting.")
WHY_SECURITY = marked(
    "You get this e-mail because it is about the security of your account. It can't be turned off."
)
UNSUBSCRIBE = marked("Stop these e-mails: {address}")

CODE = marked("Your code: {code}. Enter it within 15 minutes on the page where you asked for it.")
ADDRESS_CODE = marked(
    "Your code: {code}. Enter it within seven days under My Setting, where your new address waits."
)
KEEP = marked("Give this code to nobody. The library never asks you for it.")
STAFF_SUBJECT = marked("Choose the PIN of your library staff account")
STAFF_CODE = marked(
    "Choose the PIN of your staff account at the library with this code: {code}. It is valid for "
    "24 hours and for five tries."
)
STAFF_SEE = marked("Enter the code here: {address}")
GUEST_CONFIRM_SUBJECT = marked("Please confirm your question to the library")
GUEST_CONFIRM = marked(
    "Somebody has asked the library a question with this e-mail address. If it was you, confirm it "
    "here: {address}"
)
GUEST_CONFIRM_UNTIL = marked(
    "The link is valid for 24 hours. If it wasn't you, you don't need to do anything: the question "
    "is then deleted, and nobody has read it."
)
GUEST_SUBJECT = marked("Your question to the library")
GUEST_ANSWERED = marked("The library has answered your question {subject}.")
GUEST_ASKED_BACK = marked("The library needs to know more about your question {subject}.")
GUEST_MERGED = marked("The library answers your question {subject} together with another one.")
GUEST_WRITTEN = marked("The library has written to you about your question.")
GUEST_SEE = marked("Read it and reply here: {address}")
GUEST_SECRET = marked(
    "Whoever has this link can read your question. Please don't pass this e-mail on."
)
