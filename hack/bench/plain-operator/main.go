// Plain-operator is what the benchmark holds PhaseRun's controller against: an operator as controller-runtime has one
// write it, which makes the same rows and statuses of the same objects.
//
// It takes up PhaseRuns as the API makes them: with a run ID, a customer and a place in their slot, and the payload in
// them. It has no finalizer, no fence against a leader that was frozen, no lease, no outbox for webhooks, no seal on the
// audit log and no order within a slot; it refuses nothing and deletes nothing. What is left it does as well as the
// libraries do.
//
// DATABASE_URL and KUBECONFIG say where it works, HOST and PORT where /readyz answers.
package main

import (
	"context"
	"flag"
	"net"
	"os"

	"github.com/jackc/pgx/v5/pgxpool"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"
)

func main() {
	group := flag.String("group", "phases.rsolv.dev", "API group of the PhaseRuns that it takes up")
	concurrency := flag.Int("concurrency", 16, "PhaseRuns at once, and connections to Postgres at most")
	flag.Parse()
	log.SetLogger(zap.New())
	ctx := ctrl.SetupSignalHandler()
	if err := run(ctx, schema.GroupVersion{Group: *group, Version: "v1alpha1"}, *concurrency); err != nil {
		log.Log.Error(err, "ended")
		os.Exit(1)
	}
}

// run reconciles PhaseRuns of this group until the context ends.
func run(ctx context.Context, kinds schema.GroupVersion, concurrency int) error {
	pool, err := openPool(ctx, concurrency)
	if err != nil {
		return err
	}
	defer pool.Close()
	config, err := ctrl.GetConfig()
	if err != nil {
		return err
	}
	// The client's own ceiling of 20 calls a second is not what is compared.
	config.QPS = -1
	scheme := runtime.NewScheme()
	addKinds(scheme, kinds)
	operator, err := manager.New(config, manager.Options{
		Scheme:                 scheme,
		Cache:                  cache.Options{DefaultTransform: cache.TransformStripManagedFields()},
		HealthProbeBindAddress: net.JoinHostPort(os.Getenv("HOST"), os.Getenv("PORT")),
		Metrics:                server.Options{BindAddress: "0"},
	})
	if err != nil {
		return err
	}
	err = ctrl.NewControllerManagedBy(operator).
		For(&PhaseRun{}).
		WithOptions(controller.Options{MaxConcurrentReconciles: concurrency}).
		Complete(newReconciler(operator, pool))
	if err != nil {
		return err
	}
	if err := operator.AddReadyzCheck("readyz", healthz.Ping); err != nil {
		return err
	}
	return operator.Start(ctx)
}

func openPool(ctx context.Context, connections int) (*pgxpool.Pool, error) {
	config, err := pgxpool.ParseConfig(os.Getenv("DATABASE_URL"))
	if err != nil {
		return nil, err
	}
	config.MaxConns = int32(connections)
	return pgxpool.NewWithConfig(ctx, config)
}
