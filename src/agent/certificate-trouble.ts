/** What is wrong with a collector's certificate, in words; undefined: it is something else. */
export function certificateTrouble({ code }: NodeJS.ErrnoException): string | undefined {
  switch (code) {
    case "DEPTH_ZERO_SELF_SIGNED_CERT":
    case "SELF_SIGNED_CERT_IN_CHAIN":
    case "UNABLE_TO_VERIFY_LEAF_SIGNATURE":
    case "UNABLE_TO_GET_ISSUER_CERT_LOCALLY":
      return "its certificate is not signed by an authority that this host knows (--ca)";
    default:
      return undefined;
  }
}

/** That the other side answers, but not by TLS. */
export function speaksNoTls({ code = "" }: NodeJS.ErrnoException): boolean {
  return ["ERR_SSL_WRONG_VERSION_NUMBER", "ERR_SSL_PACKET_LENGTH_TOO_LONG", "EPROTO"].includes(code);
}
