"""The account views: built from events, stored, and shown as an overview and a stream."""
