package main

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	"k8s.io/client-go/util/flowcontrol"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
)

// Events are written as often as PhaseRun's controller writes them at most, which under load both of them reach.
const (
	eventsPerSecond = 10
	eventsAtOnce    = 50
)

type reconciler struct {
	client     client.Client
	pool       *pgxpool.Pool
	events     events.EventRecorder
	eventLimit flowcontrol.RateLimiter
}

func newReconciler(operator manager.Manager, pool *pgxpool.Pool) *reconciler {
	return &reconciler{
		client:     operator.GetClient(),
		pool:       pool,
		events:     operator.GetEventRecorder("plain-operator"),
		eventLimit: flowcontrol.NewTokenBucketRateLimiter(eventsPerSecond, eventsAtOnce),
	}
}

// Reconcile archives a PhaseRun that is not archived yet, and says so in its status.
func (r *reconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	var phaseRun PhaseRun
	if err := r.client.Get(ctx, request.NamespacedName, &phaseRun); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if isArchived(&phaseRun) {
		return ctrl.Result{}, nil
	}
	var done archived
	err := pgx.BeginFunc(ctx, r.pool, func(tx pgx.Tx) (err error) {
		done, err = archive(ctx, tx, &phaseRun)
		return err
	})
	if err != nil {
		return ctrl.Result{}, err
	}
	before := phaseRun.DeepCopy()
	done.describe(&phaseRun)
	if err := r.client.Status().Patch(ctx, &phaseRun, client.MergeFrom(before)); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if r.eventLimit.TryAccept() {
		r.events.Eventf(&phaseRun, nil, corev1.EventTypeNormal, "Archived", "Reconcile",
			"%s result archived as execution %s", phaseRun.Spec.Result.Status, phaseRun.Spec.RunID)
	}
	return ctrl.Result{}, nil
}

func isArchived(phaseRun *PhaseRun) bool {
	condition := meta.FindStatusCondition(phaseRun.Status.Conditions, "Archived")
	return condition != nil && condition.Status == metav1.ConditionTrue &&
		condition.ObservedGeneration == phaseRun.Generation
}
