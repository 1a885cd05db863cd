import Testing

/// The programs as they are built, seen from outside. One test after the other: each has processes and time to itself.
@Suite(.serialized)
enum EndToEnd {}
