//! The replicated state machine that gives out tasks.
