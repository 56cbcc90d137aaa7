//! Segment's tracking API.
