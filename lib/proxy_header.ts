/** In which header a trusted proxy names its client. */

export const PROXY_HEADERS = ["X-Forwarded-For", "X-Real-IP", "Forwarded"] as const;
export type ProxyHeader = typeof PROXY_HEADERS[number];
