"""The words around a notification in an e-mail."""

from shared.translations import marked

SUBJECT = marked("Your library account: {title}")
SUBJECT_WITHOUT_TITLE = marked("News in your library account")
SUBJECT_OF_DIGEST = marked("Your library account: {count} messages")
SEE = marked("See your messages: {address}")
WHY = marked("You get this e-mail because you chose e-mail in My Setting.")
UNSUBSCRIBE = marked("Stop these e-mails: {address}")

CODE = marked("Your code: {code}. Enter it within 15 minutes on the page where you asked for it.")
KEEP = marked("Give this code to nobody. The library never asks you for it.")
