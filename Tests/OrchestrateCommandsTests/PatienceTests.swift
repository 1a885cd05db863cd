import ControlAPI
import ControlClient
import ControlServer
import Glibc
import Testing

/// How long a command waits for its supervisor.
@Suite struct PatienceTests {
    private func error(of body: () throws(ControlError) -> Void) -> ControlError? {
        do throws(ControlError) {
            try body()
            return nil
        } catch {
            return error
        }
    }

    @Test func `an answer that does not come is a timeout which names the process that does not give it`() throws {
        var template = Array("/tmp/patience-XXXXXX".utf8CString)
        let directory = try #require(mkdtemp(&template).map { String(cString: $0) })
        let path = "\(directory)/control.sock"
        defer {
            unlink(path)
            rmdir(directory)
        }
        // Nobody takes up what connects: we are the supervisor, and do something else.
        let listener = try ControlSocket.listen(path: path)
        defer { close(listener) }
        let client = try #require(try ControlClient(socketPath: path))
        #expect(client.supervisorPID == getpid())
        let silence = error { () throws(ControlError) in
            _ = try client.call(Hello.self, .init(), for: .atMost(.milliseconds(20)))
        }
        #expect(silence?.code == .timeout)
        let message = silence?.message ?? ""
        #expect(message.hasPrefix("the supervisor with pid \(getpid()) has not answered 'hello' for "), "\(message)")
        #expect(message.contains("it is busy, or stuck"), "\(message)")
    }

    @Test func `what is asked for as the time is up still has a moment, and what is to be quick has none`() {
        let patience = Patience(timeout: .zero)
        #expect(patience.isOver)
        let silence = Silence(of: nil, "answered")
        #expect(error { () throws(ControlError) in _ = try patience.rest(of: patience.begin(), silence) } == nil)
        let quick = error { () throws(ControlError) in
            _ = try patience.rest(of: patience.begin(.atMost(.seconds(2))), silence)
        }
        #expect(quick?.code == .timeout)
    }

    @Test func `a signal ends a wait, and at once only where nothing is to be done for it`() {
        let patience = Patience(isInterrupted: { true })
        let silence = Silence(of: nil, "answered")
        let wait = patience.begin()
        #expect(error { () throws(ControlError) in _ = try patience.rest(of: wait, silence) } == nil)
        patience.heedsSignalsAfter = .zero
        let interrupted = error { () throws(ControlError) in _ = try patience.rest(of: wait, silence) }
        #expect(interrupted?.code == .interrupted)
        #expect(interrupted?.exitCode == .interrupted)
    }
}
