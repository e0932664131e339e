"""Texts on the screens of self-check stations, in the languages of the pages."""

from shared.translations import marked

TRY_AGAIN = marked("Please try again in a moment, or ask the staff.")
NO_PIN = marked("Please enter your card number and your PIN.")
WRONG_PIN = marked("The card number or the PIN is wrong.")
AGREE = marked("Renewing what is overdue charges its fine. Please agree to it, or ask the staff.")
UNKNOWN_CARD = marked("The library does not know this card.")
EXPIRED = marked("The card has expired. Please ask the staff.")
OWES = marked("Please pay what you owe, or ask the staff.")
BLOCKED = marked("The card is blocked. Please ask the staff.")
ONLY_CASH = marked("Only cash in the library's currency can be paid here.")
NOTHING_OWED = marked("There is nothing to pay.")
NOT_OUT = marked("You have not borrowed this item.")
UNKNOWN_ITEM = marked("The library does not know this item.")
NOT_RESERVED = marked("You have not reserved this item.")
NO_PROPERTIES = marked("Item properties are not kept.")
NOT_ALLOWED = marked("This station may not do this.")
