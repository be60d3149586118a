/**
 * A certificate of X.509 version 1, valid until 2119, and its key, which is for
 * tests and has never been anything else. Newer versions of OpenSSL make none by
 * this: OpenSSL 3.0 of Debian 12 did, and gave it an early beginning,
 *
 *     openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes \
 *         -keyout v1.key -subj /CN=localhost -out v1.csr
 *     faketime 2020-01-01 openssl x509 -req -in v1.csr -signkey v1.key -days 36500 -out v1.pem
 */

export const V1_CERTIFICATE = `-----BEGIN CERTIFICATE-----
MIIBJDCBywIUR2HXjZngdTpIQcSPETjgRtlTkqkwCgYIKoZIzj0EAwIwFDESMBAG
A1UEAwwJbG9jYWxob3N0MCAXDTIwMDEwMTAwMDAwMFoYDzIxMTkxMjA4MDAwMDAw
WjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNC
AATgr1qJqknBK759A3zvjMy4Ijwo8XQ3AwMO9EoRlBkoF9IraPZt5QPMYcF04QPQ
OWL2cd7zD1llwXZQC1K9TZI5MAoGCCqGSM49BAMCA0gAMEUCIFl1pNn6wvFSdvXK
1mZjQglXRMpgzbX5bTDmyTq2podaAiEA/To8yMBlcxHHXvDSU1pApks/OMKAgvwW
QJ2CqUE4aew=
-----END CERTIFICATE-----
`;

export const V1_KEY = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgjqlFhKRjf14KIIqZ
EWWHVjdlprMCn0wn289MQhbNXiShRANCAATgr1qJqknBK759A3zvjMy4Ijwo8XQ3
AwMO9EoRlBkoF9IraPZt5QPMYcF04QPQOWL2cd7zD1llwXZQC1K9TZI5
-----END PRIVATE KEY-----
`;
