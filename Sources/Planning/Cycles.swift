/// One shortest cycle for each strongly connected component, in order of the component's first sidecar. Each begins at
/// the earliest sidecar it can and repeats it at the end.
///
/// O(V + E) for the components, then a breadth-first search from each member of a cyclic one, cut off at the length
/// found so far.
func shortestCycles(edges: [[Int]]) -> [[Int]] {
    var cycles: [[Int]] = []
    let component = stronglyConnectedComponents(edges: edges)
    var members: [Int: [Int]] = [:]
    for node in edges.indices { members[component[node], default: []].append(node) }
    for (id, nodes) in members.sorted(by: { $0.value[0] < $1.value[0] }) {
        var shortest: [Int]?
        // A cycle through a large component is found from any of its nodes; the cap keeps the search linear there.
        for start in nodes.prefix(64) {
            if let cycle = shortestCycle(
                through: start, edges: edges, inside: { component[$0] == id }, shorterThan: shortest?.count ?? .max)
            {
                shortest = cycle
            }
        }
        if let shortest { cycles.append(shortest) }
    }
    return cycles
}

private func shortestCycle(
    through start: Int, edges: [[Int]], inside: (Int) -> Bool, shorterThan limit: Int
) -> [Int]? {
    var cameFrom: [Int: Int] = [:]
    var depth = [start: 1]
    var queue = [start]
    var head = 0
    while head < queue.count {
        let node = queue[head]
        head += 1
        let length = depth[node] ?? 1
        if length + 1 >= limit { return nil }
        for target in edges[node] where inside(target) {
            if target == start {
                var path = [start]
                var step = node
                var reversed: [Int] = []
                while step != start {
                    reversed.append(step)
                    step = cameFrom[step] ?? start
                }
                path += reversed.reversed()
                path.append(start)
                return path
            }
            if depth[target] == nil {
                depth[target] = length + 1
                cameFrom[target] = node
                queue.append(target)
            }
        }
    }
    return nil
}

/// Tarjan's algorithm with its own stack: a chain of 100 000 sidecars must not end the program's.
private func stronglyConnectedComponents(edges: [[Int]]) -> [Int] {
    let unvisited = -1
    var component = [Int](repeating: unvisited, count: edges.count)
    var order = [Int](repeating: unvisited, count: edges.count)
    var low = [Int](repeating: 0, count: edges.count)
    var onStack = [Bool](repeating: false, count: edges.count)
    var stack: [Int] = []
    var next = 0
    var components = 0
    for root in edges.indices where order[root] == unvisited {
        var work: [(node: Int, edge: Int)] = [(root, 0)]
        while let (node, edge) = work.last {
            if edge == 0 {
                order[node] = next
                low[node] = next
                next += 1
                stack.append(node)
                onStack[node] = true
            }
            var descended = false
            var position = edge
            while position < edges[node].count {
                let target = edges[node][position]
                position += 1
                if order[target] == unvisited {
                    work[work.count - 1].edge = position
                    work.append((target, 0))
                    descended = true
                    break
                }
                if onStack[target] { low[node] = min(low[node], order[target]) }
            }
            if descended { continue }
            if low[node] == order[node] {
                while let member = stack.popLast() {
                    onStack[member] = false
                    component[member] = components
                    if member == node { break }
                }
                components += 1
            }
            work.removeLast()
            if let parent = work.last?.node { low[parent] = min(low[parent], low[node]) }
        }
    }
    return component
}
