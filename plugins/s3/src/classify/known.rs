//! Errors by their codes (Amazon S3 API Reference, "List of error codes"), and what compatible stores add to them.

use railhead_sdk::http::Class;

/// What some codes mean, whatever else an answer holds.
pub struct Known {
    codes: &'static [&'static str],
    pub class: Class,
    pub code: &'static str,
    /// For the owner; `{bucket}` stands for its name.
    pub words: &'static str,
}

/// Codes of session tokens that are no good any more.
pub const EXPIRED: &[&str] =
    &["ExpiredToken", "ExpiredTokenException", "InvalidToken", "TokenRefreshRequired", "RequestExpired"];

/// Codes that begin so are of the key that encrypts.
const OF_KEYS: [&str; 2] = ["KMS.", "InvalidEncryption"];

const KNOWN: &[Known] = &[
    Known {
        codes: &[
            "SlowDown",
            "SlowDownWrite",
            "ServiceUnavailable",
            "TooManyRequests",
            "RequestLimitExceeded",
            "Throttling",
            "ThrottlingException",
            "KMS.ThrottlingException",
        ],
        class: Class::Throttled,
        code: "slow-down",
        words: "The store wants fewer requests.",
    },
    Known {
        codes: &["NoSuchBucket"],
        class: Class::Misconfigured,
        code: "bucket-not-found",
        words: "There is no bucket {bucket} here. Create it, or set the right bucket, region and endpoint.",
    },
    Known {
        codes: &["AccessDenied", "AllAccessDisabled", "UnauthorizedAccess", "Forbidden"],
        class: Class::Misconfigured,
        code: "access-denied",
        words: "The store denies writing. Grant s3:PutObject on the prefix in {bucket}, and the use of the KMS key if \
                there is one.",
    },
    Known {
        codes: &["InvalidAccessKeyId", "NotSignedUp"],
        class: Class::RejectedCredentials,
        code: "access-key-unknown",
        words: "The store does not know the access key. Set a new key pair as the credential keys.",
    },
    Known {
        codes: &["SignatureDoesNotMatch"],
        class: Class::RejectedCredentials,
        code: "secret-key-wrong",
        words: "The secret does not belong to the access key. Set the key pair again as the credential keys.",
    },
    Known {
        codes: EXPIRED,
        class: Class::RejectedCredentials,
        code: "session-expired",
        words: "The session token has expired or is not valid. Set a new key pair with its token.",
    },
    Known {
        codes: &["TemporaryRedirect"],
        class: Class::Transient,
        code: "redirected",
        words: "The bucket is new, and not found everywhere yet.",
    },
    Known {
        codes: &["OperationAborted", "ConditionalRequestConflict"],
        class: Class::Transient,
        code: "conflict",
        words: "Another request was changing the same object or bucket.",
    },
    Known {
        codes: &[
            "InternalError",
            "RequestTimeout",
            "IncompleteBody",
            "KMS.KMSInternalException",
            "ServerNotInitialized",
            "XMinioServerNotInitialized",
        ],
        class: Class::Transient,
        code: "store-failed",
        words: "The store failed.",
    },
    Known {
        codes: &["BadDigest", "XAmzContentSHA256Mismatch", "XAmzContentChecksumMismatch", "InvalidDigest"],
        class: Class::Transient,
        code: "damaged",
        words: "The object was damaged on its way.",
    },
    Known {
        codes: &["AccessControlListNotSupported"],
        class: Class::Misconfigured,
        code: "acl-not-supported",
        words: "The bucket has no ACLs: its owner has everything. Set bucket_owner_full_control to false.",
    },
    Known {
        codes: &["InvalidStorageClass"],
        class: Class::Misconfigured,
        code: "storage-class-unknown",
        words: "The store does not have this storage_class.",
    },
    Known {
        codes: &["NotImplemented"],
        class: Class::Misconfigured,
        code: "not-implemented",
        words: "The store cannot do what is asked of it. Look at encryption, storage_class and bucket_owner_full_control, \
                or set overwrite to true.",
    },
    Known {
        codes: &["KeyTooLongError", "XMinioInvalidObjectName"],
        class: Class::Misconfigured,
        code: "key-refused",
        words: "The store refuses the key. Set another prefix or key.",
    },
    Known {
        codes: &["QuotaExceeded", "XMinioStorageFull", "XMinioAdminBucketQuotaExceeded", "InsufficientStorage"],
        class: Class::Misconfigured,
        code: "store-full",
        words: "The store is full.",
    },
];

const KEY: Known = Known {
    codes: &[],
    class: Class::Misconfigured,
    code: "kms-key-unusable",
    words: "The KMS key cannot be used. Set another kms_key_id, or enable the key and allow kms:GenerateDataKey.",
};

/// What a code means; none where that depends on the rest of the answer, or nobody knows.
pub fn known(code: &str) -> Option<&'static Known> {
    let is_of_key = OF_KEYS.iter().any(|begin| code.starts_with(begin));
    KNOWN.iter().find(|known| known.codes.contains(&code)).or(is_of_key.then_some(&KEY))
}
