//! Why something is repaired, dropped or refused on its way in, in plain words. docs/repairs.md has
//! the same table.

/// Each reason that is counted, and what it means.
pub const REASONS: [(&str, &str); 45] = [
    ("late", "It is dated before the user was erased, or its date is unknown."),
    ("suppressed", "The user is suppressed: their messages are not stored."),
    ("not public", "The project does not accept this from public credentials."),
    ("refused", "The message is invalid: a required field is missing or wrong."),
    (
        "half the hourly limit for new people",
        "Public credentials created half of the new users allowed per hour: it may be an attack.",
    ),
    (
        "over the hourly limit for new people",
        "Public credentials created all new users allowed per hour: this message and the later ones in its \
         request were refused.",
    ),
    (
        "1000 anonymous ids of one user",
        "Public credentials can link at most 1,000 anonymous ids to a user: this one stays a separate visitor.",
    ),
    ("user stays in the trash", "Public credentials never restore users: the user stays in the trash."),
    (
        "second e-mail kept apart",
        "A public credential gave another e-mail for a known user: it is stored as a second e-mail.",
    ),
    ("anonymous id of another user", "The anonymous id belongs to another user: it is not linked again."),
    (
        "placeholder id",
        "The id is a placeholder, such as \"undefined\": the other id of the message is used.",
    ),
    ("unusable id", "The id is too long, or is neither text nor a whole number: it is left out."),
    ("time unreadable", "The time cannot be read: the message counts as one of unknown age."),
    ("zero time", "The time is the zero value of Go or .NET: it is left out."),
    (
        "time in the future",
        "The time is more than 10 seconds ahead of ours: the message counts as one of unknown age, stored as of now.",
    ),
    ("characters lost", "Bytes that are not valid characters are each replaced by a sign."),
    ("control characters", "Control characters are taken out, or escaped where they broke the JSON."),
    ("not a number", "NaN or Infinity, which JSON does not have, became null."),
    (
        "commas between messages",
        "A batch had too many commas between its messages, or too few: each complete message is stored.",
    ),
    (
        "bodies joined",
        "One request had several bodies, from a client's file: each complete message is stored.",
    ),
    (
        "beginning of the body missing",
        "The beginning of a batch was cut off: each complete message is stored.",
    ),
    ("end of the body missing", "The end of a batch was cut off: each complete message is stored."),
    (
        "no JSON between messages",
        "A batch contained something that is not JSON: each complete message is stored.",
    ),
    ("made a string", "The name of an event is a number, true or false: it is kept as text."),
    (
        "deletes nobody",
        "The event requests a deletion or a suppression: it is stored, but no user is deleted, because its key may be public.",
    ),
    ("not a string", "The field must be text: it is left out."),
    ("not an object", "The field must be an object: it is left out."),
    ("cut to 1024 characters", "The name of an event is too long: its beginning is kept."),
    ("over 1024 characters", "The text is too long for its field of a profile: it is left out."),
    (
        "attributes over the limit",
        "All attributes of the user together would exceed 65,536 bytes: these are left out.",
    ),
    (
        "nested deeper than 64 levels",
        "An attribute is nested deeper than 64 levels: the attributes of the message are left out.",
    ),
    ("must be a string", "Gainsight PX: the field must be text: it is left out."),
    ("must be an object", "Gainsight PX: the field must be an object: it is left out."),
    (
        "must be one of the values that the vendor lists",
        "Gainsight PX: the field has a list of values, and this is none: it is left out.",
    ),
    ("must be an integer", "Gainsight PX: the field must be a whole number: it is left out."),
    (
        "must be a time in milliseconds since 1970",
        "Gainsight PX: the time cannot be read: it is left out, and an event counts as one of unknown age.",
    ),
    ("must be a number", "Gainsight PX: the field must be a number: it is left out."),
    ("must be true or false", "Gainsight PX: the field must be true or false: it is left out."),
    (
        "must be a list of strings of at most 1024 characters",
        "Gainsight PX: the field must be a list of texts: it is left out.",
    ),
    ("must be a list of objects", "Gainsight PX: the field must be a list of objects: it is left out."),
    ("must have at most 1024 bytes", "Gainsight PX: the id of the event is too long: it is left out."),
    ("must have at most 1024 characters", "Gainsight PX: the text is too long: it is left out."),
    ("must have at most 256 characters", "Gainsight PX: the id of the session is too long: it is left out."),
    ("must not be empty", "Gainsight PX: the id of the session is empty: it is left out."),
    ("must not contain control characters", "Gainsight PX: the text has control characters: it is left out."),
];
