import Reconciliation
package import SidecarModel

extension Prober {
    /// Posts the JSON. Answers nil when the receiver took it (2xx), else what went wrong, as a sentence.
    package func post(
        _ json: [UInt8], to webhook: Webhook, timeout: Duration, answer: @escaping (String?) -> Void
    ) -> CheckID {
        let request = HTTPRequest(
            method: "POST", path: webhook.path, headers: [("Content-Type", "application/json")], body: json)
        let http = ProbeRequest.HTTP(host: webhook.host, port: webhook.port, request: request, status: 200...299)
        return run(ProbeRequest(.http(http), timeout: timeout)) { outcome in
            switch outcome {
            case .success, .unverified: answer(nil)
            case .failure(let reason): answer(reason)
            case .foreign(let owner): answer("answered by \(owner)")
            case .timeout: answer("\(webhook.host):\(webhook.port) did not answer within \(timeout)")
            }
        }
    }
}
