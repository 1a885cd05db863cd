import SidecarModel

/// What others can see of an instance, for telling whether a change concerns them.
struct InstanceTraits: Equatable {
    var levels: Levels
    var name: StateName
    var isWanted: Bool
    var isLeaving: Bool
    var isOnItsWay: Bool
    var lives: Int
    var leavingLives: Int
    var replacements: Int
    var replacementsUnderWay: Int
    var halts: Int
    var starts: Int
    var unsettled: Int

    init(_ instance: Instance) {
        levels = instance.levels
        name = instance.phase.name
        isWanted = instance.isWanted
        isLeaving = instance.isLeaving
        isOnItsWay = instance.isOnItsWay
        lives = instance.isGone ? 0 : 1
        leavingLives = instance.isDeclared ? 0 : lives
        replacements = instance.isToBeReplaced ? 1 : 0
        replacementsUnderWay = instance.isBeingReplaced ? 1 : 0
        halts = instance.isRestartHalted ? 1 : 0
        starts = instance.isStarting ? 1 : 0
        unsettled = instance.openReplacements
    }
}
