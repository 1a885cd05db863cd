import SidecarModel

/// Whether a log's file refuses, and what others were told of that. A disk that is nearly full may refuse and take in
/// turns: that is no news each time.
struct LogRefusals {
    /// The last that was to be written was refused.
    private var isRefused = false
    /// While it holds as far as others know.
    private var told: String?
    private var lastNews: Instant?

    mutating func accepted() { isRefused = false }

    mutating func refused(_ instance: LogInstance, _ error: SystemError, tell: (LogEvent) -> Void) {
        isRefused = true
        let reason = "\(error)"
        guard told != reason else { return }
        told = reason
        let now = Instant.now
        let isNews = lastNews.map { now - $0 >= .seconds(10) } ?? true
        if isNews { lastNews = now }
        tell(.refused(instance, reason: reason, isNews: isNews))
    }

    /// Once all there was is dealt with, and not for every line.
    mutating func settle(_ instance: LogInstance, tell: (LogEvent) -> Void) {
        if !isRefused { end(instance, tell: tell) }
    }

    /// Whoever writes it from now on says anew that it can't.
    mutating func end(_ instance: LogInstance, tell: (LogEvent) -> Void) {
        guard told != nil else { return }
        told = nil
        tell(.accepted(instance))
    }
}
