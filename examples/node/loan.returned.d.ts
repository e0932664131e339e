// Made by examples/types/make.mjs from contracts/asyncapi.yaml.

export interface LoanReturned {
  'version': number;
  'loan_id': string;
  'patron_id': string;
  'title_id': string;
  'copy_id': string;
  'barcode': string;
  'category': string;
  'branch': string;
  'branch_kind': string;
  'borrowed_on': string;
  'due_on': string;
  'due_at'?: string | null;
  'renewals': number;
  'renewals_left': number;
  'renewals_allowed'?: number | null;
  'state': State;
  'returned_on'?: string | null;
  'claimed_returned_on'?: string | null;
  'return_branch': string;
  'channel': Channel;
}

export type State = "open" | "returned" | "lost";

export type Channel = "desk" | "station" | "book-drop";
