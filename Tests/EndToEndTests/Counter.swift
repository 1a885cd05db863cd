/// Commands of sidecars that number their lines, as a manifest takes them.
enum Counter {
    /// About a thousand lines a second, at the pace of a timer, without end; from 0 on in each life.
    static let paced = python(
        """
        import signal as s
        s.pthread_sigmask(s.SIG_BLOCK, [s.SIGALRM])
        s.setitimer(s.ITIMER_REAL, 0.001, 0.001)
        n = 0
        while True:
          print('line', n)
          n += 1
          s.sigwait([s.SIGALRM])
        """)

    /// For each number that comes from there, so many lines.
    static func fed(from path: String) -> String {
        python(
            """
            n = 0
            for count in open('\(path)'):
              for _ in range(int(count)):
                print('line', n)
                n += 1
            """)
    }

    private static func python(_ program: String) -> String {
        #"[python3, -uc, "\#(program.split(separator: "\n").joined(separator: #"\n"#))"]"#
    }
}
