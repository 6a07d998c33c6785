//! The language-neutral table of event sequences and the states they lead to, run on ours.
