// A grid of simulated threads: clusters of blocks of warps. Each block's threads are fibers of one thread of the machine, which run until
// they wait; clusters run side by side on the machine's threads.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "kernels/simulator/async.h"
#include "kernels/simulator/fiber.h"
#include "kernels/simulator/knowledge.h"
#include "kernels/simulator/launch.h"
#include "kernels/simulator/layouts.h"
#include "kernels/simulator/report.h"
#include "kernels/simulator/shadow.h"

namespace pyengine::simulator {

struct Block;
struct Warp;
class Cluster;

struct Thread {
    Block* block = nullptr;
    Warp* warp = nullptr;
    Dim3 index;
    unsigned rank = 0;          // in its block, x fastest
    unsigned cluster_rank = 0;  // in its cluster
    bool done = false;
    std::unique_ptr<Fiber> fiber;  // from its first step to its last

    Knowledge knowledge;
    std::uint32_t clock = 1;  // counts up whenever others may learn what this thread did before
    Knowledge fenced;  // what it knew at its last memory fence, and threads that it met at theirs: what its atomic operations tell others
    Knowledge heard;   // from atomic operations: a fence or a barrier makes it known
    const void* told_at = nullptr;                               // where `fenced` was left last
    const void* listens_at = nullptr;                            // its last atomic or volatile read, of which it has not heard yet
    std::pair<const void*, std::uint64_t> heard_at{nullptr, 0};  // and of which it has, with how much was left there then

    std::vector<std::uint32_t> shared_proxy_fences, global_proxy_fences;  // the clocks of its fence.proxy.async
    std::vector<std::uint32_t> mbarrier_fences;                           // of its fence.mbarrier_init
    std::shared_ptr<CopyGroups> copies;                                   // of cp.async
    std::shared_ptr<BulkGroups> bulk_copies;                              // of TMA stores
    std::shared_ptr<Accumulators> accumulators;                           // of wgmma
    unsigned registers = 0;                                               // setmaxnreg; 0: as launched
    bool at_cluster_barrier = false;                                      // arrived, and others have not
    bool owes_cluster_wait = false;                                       // arrived, and has not waited

    std::function<std::string()> waiting_for;  // said if it never ends; none: it looks at memory
    const void* waiting_at = nullptr;
    unsigned yields = 0;              // turns that it gave up
    unsigned looks = 0;               // at memory that others may change
    unsigned branches = 0;            // since the last look
    const void* looked_at = nullptr;  // by its last atomic or volatile read
    const void* read_at = nullptr;    // by an ordinary load, its last access

    unsigned lane() const { return rank % 32; }
};

/// What threads tell each other at a barrier.
struct Passed {
    Knowledge known, fenced;

    void join(const Passed& other) {
        known.join(other.known);
        fenced.join(other.fenced);
    }
};

/// Threads that meet: all that are expected arrive, then all go on, knowing what the others did.
struct Meeting {
    std::vector<Thread*> arrived;
    std::vector<Thread*> waiting;  // of those
    std::vector<void*> payloads;
    Passed passed;  // by those that arrived
    const void* code = nullptr;
    const char* what = nullptr;
    std::uint32_t mask = 0;
    unsigned expected = 0;
    bool orders = false;
    std::function<void(void* const (&payloads)[32])> finish;
};

struct Warp {
    std::vector<Thread*> lanes;
    std::vector<Meeting> meetings;  // of the lanes that wait, one for each mask
};

struct Block {
    Cluster* cluster = nullptr;
    Dim3 index;
    unsigned rank = 0;  // in its cluster
    std::vector<std::unique_ptr<Thread>> threads;
    std::vector<Warp> warps;
    unsigned alive = 0;
    std::byte* shared = nullptr;
    std::unique_ptr<Shadow> shared_shadow, static_shadow;
    Layouts layouts;                                    // of `shared`
    std::map<std::size_t, std::uint32_t> static_words;  // while another block runs: the contents of its static shared memory
    Meeting barriers[16];
    std::vector<int> votes;                                      // in the barrier that counts
    std::size_t votes_seen = 0;                                  // by how many threads
    std::map<const void*, std::shared_ptr<Mbarrier>> mbarriers;  // by their address
    std::vector<std::shared_ptr<WarpGroup>> warp_groups;         // of those that have used wgmma
    int free_registers = 0;                                      // of all threads, given up by setmaxnreg
    std::vector<Thread*> register_waiters;
};

/// One launch of a kernel.
class Launch {
public:
    Launch(const void* kernel, const LaunchShape& shape, Body body);

    void run();

    const void* kernel;
    const LaunchShape& shape;
    const Body body;
    const std::uint64_t number;  // of all launches, from 1

    /// Before an atomic or volatile write: what the thread has fenced is left at the address.
    void tell(Thread& self, const void* address);
    /// After an atomic or volatile read, when what was left there matters.
    void listen(Thread& self);

    /// Keeps the report of the first cluster that has one.
    void report(std::uint64_t cluster, const std::string& message);
    /// Whether an earlier cluster has failed, so that this one is of no interest.
    bool obsolete(std::uint64_t cluster) const { return first_failed_.load() < cluster; }

private:
    struct Told {
        std::map<std::uint32_t, Knowledge> by;  // clusters
        std::uint64_t count = 0;
    };

    /// A thread of the machine, which runs clusters.
    struct Worker {
        bool runs = false;
        unsigned quiet_rounds = 0;  // of all its clusters, in which nothing changed, for any worker
    };

    void work(Worker& worker);
    std::optional<std::uint64_t> admit(Worker& worker, bool has_others);
    bool may_admit() const;
    bool run_round(std::list<Cluster>& resident, bool all);
    bool waits_forever(Worker& worker, bool changed);

    const std::uint64_t clusters_, most_resident_;
    std::mutex mutex_;
    std::map<const void*, Told> told_;  // by address
    std::vector<Worker> workers_;
    std::uint64_t next_ = 0, resident_ = 0;  // clusters
    std::atomic<std::uint64_t> changes_{0};  // runs of clusters that changed something
    bool stopped_ = false, deadlock_ = false;
    std::atomic<std::uint64_t> first_failed_{UINT64_MAX};
    std::string message_;
};

class Cluster {
public:
    Cluster(Launch& launch, std::uint64_t number);
    ~Cluster();

    enum class State { finished, stalled };
    /// Until all threads have ended, or all that do not wait only look at memory.
    State run();

    Launch& launch;
    const std::uint64_t number;  // in the grid
    std::vector<std::unique_ptr<Block>> blocks;

    /// From a fiber: stops the thread until `wake`; what it waits for is said if that never happens.
    void sleep(Thread& thread, std::function<std::string()> waiting_for, const void* code);
    void wake(Thread& thread);
    /// From a fiber: others go first; the thread has looked at memory that they may change.
    void yield(Thread& thread, const void* code);
    /// Other threads may now go on: a thread has ended or been woken, memory has been written.
    void note_change() { ++changes_; }
    std::uint64_t changes() const { return changes_; }
    std::uint64_t has_seen = UINT64_MAX;  // of the launch's changes, when it last ran
    /// From a fiber: ends the launch with a message. Does not return.
    [[noreturn]] void fail(const Thread& thread, const char* fault, const std::string& details);
    /// Who waits where, of a cluster that cannot go on.
    void report_deadlock();

    std::size_t thread_count() const { return thread_count_; }
    std::uint32_t id() const { return static_cast<std::uint32_t>(number + 1); }
    const std::vector<Thread*>& threads() const { return all_; }
    std::size_t alive() const { return alive_; }
    Meeting barrier;
    Passed barrier_passed;  // when it was last complete
    Agents agents;
    InFlight in_flight;

private:
    void make_block(std::uint64_t cluster, unsigned rank);
    void step(Thread& thread);
    void end(Thread& thread);
    void report_unfinished();

    std::optional<std::mt19937_64> random_;  // with PYENGINE_SIMULATOR_SEED
    std::size_t thread_count_ = 0, alive_ = 0;
    std::vector<Thread*> all_;
    std::deque<Thread*> ready_;
    std::uint64_t changes_ = 0;
    bool failed_ = false;
};

/// The thread whose fiber runs; null outside kernels.
Thread* current_thread();

std::string name_of(const Thread& thread);
/// The same by number: of the cluster in the grid, of the thread in the cluster.
std::string name_of(const LaunchShape& shape, std::uint64_t cluster, unsigned thread);

}  // namespace pyengine::simulator
