import CProcess
import Glibc
import Testing

struct SpawnIdentityTests {
    /// The child reads its clock instead of asking /proc; a tick of 10 ms may end between the two readings, and often
    /// does in as many spawns as this.
    @Test func `the start time a child records is the one the kernel knows it by`() throws {
        var argument = Array("sleep\0".utf8CString)
        var seconds = Array("1000\0".utf8CString)
        var path = Array("/bin/sleep\0".utf8CString)
        var wrong: [String] = []
        for _ in 0..<200 {
            var slot = orch_slot()
            var result = orch_spawn_result()
            argument.withUnsafeMutableBufferPointer { argument in
                seconds.withUnsafeMutableBufferPointer { seconds in
                    path.withUnsafeMutableBufferPointer { path in
                        let arguments = [argument.baseAddress, seconds.baseAddress, nil]
                        let environment: [UnsafeMutablePointer<CChar>?] = [nil]
                        arguments.withUnsafeBufferPointer { arguments in
                            environment.withUnsafeBufferPointer { environment in
                                withUnsafeMutablePointer(to: &slot) { slot in
                                    var request = orch_spawn_request()
                                    request.path = UnsafePointer(path.baseAddress)
                                    request.arguments = arguments.baseAddress
                                    request.environment = environment.baseAddress
                                    (request.standard_input, request.standard_output) = (-1, -1)
                                    (request.standard_error, request.cgroup_fd) = (-1, -1)
                                    request.slot = slot
                                    orch_spawn(&request, &result)
                                }
                            }
                        }
                    }
                }
            }
            #expect(result.step == ORCH_STEP_NONE)
            guard result.pid > 0 else { continue }
            var facts = orch_process_facts()
            if orch_process_look(result.pid, &facts) != 0 || facts.start_time != slot.start_time {
                wrong.append("\(slot.start_time) is \(facts.start_time)")
            }
            _ = orch_pidfd_signal(result.pidfd, SIGKILL)
            waitpid(result.pid, nil, 0)
            close(result.pidfd)
        }
        #expect(wrong == [])
    }
}
