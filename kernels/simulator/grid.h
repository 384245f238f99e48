// A grid of simulated threads: clusters of blocks of warps. Each block's threads are fibers of one thread of the machine, which run until
// they wait; clusters run side by side on the machine's threads.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
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
    Knowledge fenced;         // what it knew at its last memory fence: what its atomic operations tell others
    std::vector<std::pair<std::uint32_t, Knowledge>> heard;  // of whom, what: from atomic operations since; a fence makes it known

    std::vector<std::uint32_t> shared_proxy_fences, global_proxy_fences;  // the clocks of its fence.proxy.async
    std::vector<std::uint32_t> mbarrier_fences;                           // of its fence.mbarrier_init
    std::shared_ptr<CopyGroups> copies;                                   // of cp.async
    std::shared_ptr<BulkGroups> bulk_copies;                              // of TMA stores
    std::shared_ptr<Accumulators> accumulators;                           // of wgmma
    unsigned registers = 0;                                               // setmaxnreg; 0: as launched
    bool at_cluster_barrier = false;                                      // arrived, and others have not
    bool owes_cluster_wait = false;                                       // arrived, and has not waited

    std::function<std::string()> waiting_for;  // said if it never ends
    const void* waiting_at = nullptr;
    unsigned spins = 0;  // turns in a row that it gave up
    unsigned looks = 0;  // at memory that others may change

    unsigned lane() const { return rank % 32; }
};

/// Threads that meet: all that are expected arrive, then all go on, knowing what the others did.
struct Meeting {
    std::vector<Thread*> arrived;
    std::vector<Thread*> waiting;  // of those
    std::vector<void*> payloads;
    Knowledge learned;  // of those that arrived, when they did
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

    /// An atomic operation on `address`: what the thread fenced is left there, what others left is heard.
    void exchange(Thread& self, const void* address);

    /// Keeps the report of the first cluster that has one.
    void report(std::uint64_t cluster, const std::string& message);
    /// Whether an earlier cluster has failed, so that this one is of no interest.
    bool obsolete(std::uint64_t cluster) const { return first_failed_.load() < cluster; }

private:
    std::mutex mutex_;
    std::map<const void*, std::map<std::uint32_t, Knowledge>> told_;  // at an address, by a cluster
    std::atomic<std::uint64_t> first_failed_{UINT64_MAX};
    std::string message_;
};

class Cluster {
public:
    Cluster(Launch& launch, std::uint64_t number);
    ~Cluster();

    enum class State { finished, stalled };
    /// Until all threads have ended, or all that do not wait spin.
    State run();

    Launch& launch;
    const std::uint64_t number;  // in the grid
    std::vector<std::unique_ptr<Block>> blocks;

    /// From a fiber: stops the thread until `wake`; what it waits for is said if that never happens.
    void sleep(Thread& thread, std::function<std::string()> waiting_for, const void* code);
    void wake(Thread& thread);
    /// From a fiber: others go first.
    void yield(Thread& thread);
    /// From a fiber: ends the launch with a message. Does not return.
    [[noreturn]] void fail(const Thread& thread, const char* fault, const std::string& details);

    std::size_t thread_count() const { return thread_count_; }
    std::uint32_t id() const { return static_cast<std::uint32_t>(number + 1); }
    const std::vector<Thread*>& threads() const { return all_; }
    std::size_t alive() const { return alive_; }
    Meeting barrier;
    Knowledge barrier_learned;  // when it was last complete
    Agents agents;
    InFlight in_flight;

private:
    void make_block(std::uint64_t cluster, unsigned rank);
    void step(Thread& thread);
    void end(Thread& thread);
    void report_deadlock();
    void report_unfinished();

    std::optional<std::mt19937_64> random_;  // with PYENGINE_SIMULATOR_SEED
    std::size_t thread_count_ = 0, alive_ = 0;
    std::vector<Thread*> all_;
    std::deque<Thread*> ready_;
    bool failed_ = false;
};

/// The thread whose fiber runs; null outside kernels.
Thread* current_thread();

std::string name_of(const Thread& thread);

}  // namespace pyengine::simulator
