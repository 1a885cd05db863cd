import Planning
import Reconciliation
import SidecarModel

/// One story, told again and again, each time with another of its effects going wrong.
package struct FailingEffect: Sendable {
    package enum Mode: CaseIterable, Sendable {
        /// What was asked for fails, is late, or is not heard.
        case fails
        /// The supervisor dies before it can do it.
        case supervisorDies
    }

    /// Goes through the story for every n. Returns how many effects it has. Throws the first that breaks an invariant.
    package static func everyOne(_ mode: Mode) throws(InvariantBroken) -> Int {
        var number = 1
        while true {
            var world = try begin()
            world.failing = (number, mode)
            try tell(&world)
            if world.performed < number { return world.performed }
            number += 1
        }
    }

    private static func begin() throws(InvariantBroken) -> World {
        let db = SidecarSpec.service("db") {
            $0.health.readiness = Probe(.tcp(port: .number(1), host: nil))
            $0.health.readiness?.period = .milliseconds(100)
            $0.hooks = [HookSpec(event: .preStart, action: .shell(Template("hook")))]
            $0.restart.delay = .milliseconds(50)
        }
        let migrate = SidecarSpec.task("migrate", after: .healthy("db")) { $0.restart.policy = .onFailure }
        let web = SidecarSpec.service("web", after: .succeeded("migrate"), .healthy("db")) {
            $0.hooks = [HookSpec(event: .preStop, action: .shell(Template("hook")))]
            $0.restart.delay = .milliseconds(50)
        }
        do throws(PlanError) {
            var world = try World(db, migrate, web)
            world.trace = nil
            world.natures["migrate"]?.lifetime = .milliseconds(30)
            world.natures["web"]?.children = 1
            return world
        } catch {
            throw InvariantBroken(invariant: .settles, detail: "the story is no plan: \(error)")
        }
    }

    private static func tell(_ world: inout World) throws(InvariantBroken) {
        try world.up()
        try world.pass(.seconds(3))
        try world.crash("db")
        try world.pass(.seconds(2))
        try world.request(.restart(["web"], by: .user))
        try world.pass(.seconds(3))
        try world.request(.stop(["web"], scope: .only, by: .user))
        try world.pass(.seconds(1))
        try world.request(.start(["web"], by: .user))
        try world.pass(.seconds(1))
        try world.comeToAnEnd()
    }
}

extension World {
    /// Counts an effect. True when it is the one that goes wrong because the supervisor dies.
    mutating func countEffect() -> Bool {
        performed += 1
        guard let failing, failing.number == performed else { return false }
        return failing.mode == .supervisorDies
    }

    /// The effect that was counted last goes wrong in the world.
    var isFailing: Bool { failing.map { $0.number == performed && $0.mode == .fails } ?? false }
}
